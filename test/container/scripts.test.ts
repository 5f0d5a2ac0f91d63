import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/server.ts';

const scripts = [
  'hearth',
  '.ci/run',
  'scripts/image-check',
  'scripts/with-postgres',
  ...readdirSync(join(repositoryRoot, 'docker'))
    .filter((name) => name.endsWith('.sh'))
    .map((name) => join('docker', name)),
];
const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;

describe('shell scripts', () => {
  it.skipIf(!hasShellcheck)(`have no faults that shellcheck knows${hasShellcheck ? '' : ' (needs shellcheck)'}`, () => {
    const { stdout } = spawnSync('shellcheck', ['--severity=warning', ...scripts], {
      cwd: repositoryRoot,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
  });
});
