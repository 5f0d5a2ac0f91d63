import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programName } from '../../src/config/program-name.ts';
import { commandSayer } from '../../src/core/say-command.ts';
import { repositoryRoot } from '../support/server.ts';

describe('the name that commands have in messages', () => {
  it.each([
    [{ HEARTH_COMMAND: 'docker exec -it 3f2a hearth' }, '/opt/hearth/src/main.ts', 'docker exec -it 3f2a hearth'],
    [{ HEARTH_COMMAND: ' ' }, '/home/me/hearth/src/main.ts', './hearth'],
    [{}, '/home/me/hearth/node_modules/.bin/hearth', 'hearth'],
  ])('with %j, from %s, is %s', (env, script, name) => {
    expect(programName(env, script, 'linux')).toBe(name);
  });

  it('is that of Node where there is no shell to run ./hearth', () => {
    expect(programName({}, 'C:/hearth/src/main.ts', 'win32')).toBe('npx node src/main.ts');
  });

  it('stands in front of the words, in quotes', () => {
    const sayCommand = commandSayer('./hearth');
    expect([sayCommand('pull qwen3-4b'), sayCommand()]).toEqual(['"./hearth pull qwen3-4b"', '"./hearth"']);
  });
});

describe.skipIf(process.platform === 'win32')('the command ./hearth', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-launcher-'));
    for (const name of ['program/node_modules/.bin', 'bin']) mkdirSync(join(folder, name), { recursive: true });
    copyFileSync(join(repositoryRoot, 'hearth'), join(folder, 'program/hearth'));
    // In place of Node: says what it was told.
    const node = '#!/bin/sh\necho "$HEARTH_COMMAND"\n';
    writeFileSync(join(folder, 'program/node_modules/.bin/node'), node, { mode: 0o755 });
    symlinkSync('../program/hearth', join(folder, 'bin/hearth'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['program', './hearth', './hearth'],
    ['.', 'program/hearth', 'program/hearth'],
    ['.', 'hearth', 'hearth'],
  ])('in %s, typed as %s, tells that it was', (cwd, typed, told) => {
    const { HEARTH_COMMAND: _, ...env } = process.env;
    const { stdout, stderr } = spawnSync('sh', ['-c', `${typed} list`], {
      cwd: join(folder, cwd),
      encoding: 'utf8',
      env: { ...env, PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
    });
    expect([stdout, stderr]).toEqual([`${told}\n`, '']);
  });
});
