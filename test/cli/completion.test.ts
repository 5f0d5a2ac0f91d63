import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testConfig } from '../http/harness.ts';
import { runCli } from '../support/run-cli.ts';
import { repositoryRoot } from '../support/server.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-completion-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function script(shell: string): Promise<string> {
  const path = join(folder, `hearth.${shell}`);
  writeFileSync(path, (await runCli(testConfig(), ['completion', shell])).text);
  return path;
}

/** What bash offers after these words, the last of which is being typed. `models`: what `hearth list` would print. */
function bash(path: string, words: string[], models = ''): string[] {
  const program = `
    set -eu
    cd ${JSON.stringify(repositoryRoot)}
    hearth() { printf '%s' "$MODELS"; }
    source "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
    _hearth
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { PATH: process.env['PATH'] ?? '', MODELS: models };
  return execFileSync('bash', ['--norc', '-c', program, 'bash', path, ...words], { env, encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');
}

const has = (program: string) => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('completion in bash', () => {
  it.each([
    [
      ['hearth', 'pr'],
      ['provider', 'privacy'],
    ],
    [['hearth', 'logs', '--level', 'e'], ['error']],
    [
      ['hearth', 'batch', 'c'],
      ['create', 'cancel'],
    ],
    [['hearth', 'key', 'create', 'x', '--sc'], ['--scope']],
    [['hearth', 'ls', '--av'], ['--available']],
    [['hearth', 'serve', '--models'], ['--models']],
    [
      ['hearth', 'completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['hearth', 'import', 'LICEN'], ['LICENSE']],
    [['hearth', '--config', 'hearth.ex'], ['hearth.example.yaml']],
    [['hearth', 'privacy', '--days', ''], []],
  ])('%j', async (words, expected) => {
    expect(bash(await script('bash'), words)).toEqual(expected);
  });

  it('offers the names of models', async () => {
    const models = JSON.stringify(
      [{ model: 'qwen3-4b:q4_k_m' }, { model: 'qwen3-4b:q8_0' }, { model: 'tiny:q8_0' }],
      null,
      2,
    );
    expect(bash(await script('bash'), ['hearth', 'plan', 'q'], models)).toEqual(['qwen3-4b']);
    expect(bash(await script('bash'), ['hearth', 'rm', 'tiny', ''], models)).toEqual(['qwen3-4b', 'tiny']);
  });
});

describe('completion in other shells', () => {
  it.skipIf(!has('zsh'))('is a script of zsh (skipped without zsh)', async () => {
    execFileSync('zsh', ['-n', await script('zsh')]);
  });

  it.skipIf(!has('fish'))('works in fish (skipped without fish)', async () => {
    const path = await script('fish');
    const offered = execFileSync('fish', ['--no-config', '-c', `source ${path}; complete -C "hearth logs --level "`], {
      encoding: 'utf8',
    });
    expect(offered.split('\n').map((line) => line.split('\t')[0])).toEqual(expect.arrayContaining(['trace', 'warn']));
  });

  it.each(['zsh', 'fish'])('has every command, its help and its flags in %s', async (shell) => {
    const { text, code } = await runCli(testConfig(), ['completion', shell]);
    expect(code).toBe(0);
    for (const word of ['doctor', 'status', 'revoke', 'bundle', 'gguf']) expect(text.toLowerCase()).toContain(word);
  });
});
