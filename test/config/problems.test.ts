import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkText } from '../../src/config/check.ts';
import { ConfigError, loadConfig } from '../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-problems-'));
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(text: string, env: Record<string, string> = {}, flags: Record<string, string> = {}): string[] {
  const file = join(folder, 'hearth.yaml');
  writeFileSync(file, text);
  try {
    loadConfig({ flags: { ...flags, config: file }, env, cwd: folder });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((line) => line.replace(`${file}:`, ''));
  }
}

describe('the problems of a configuration', () => {
  it('of every source and of every kind are told at once, those of the file by its lines', () => {
    const text = `server:
  port: high
  colour: red
models:
  aliases: { default: tiny }
providers:
  cursor: { models: [] }
  openai: { api_key: '\${NOT_SET}', timeout: often }
jobs:
  webhook_hosts: [a.example]
keys:
  - { name: kitchen }
  - { name: hall, key_file: /nowhere }
`;
    const found = problemsOf(
      text,
      { HEARTH_KEEP_ALIVE: 'long', HEARTH_API_KEY: 'k', HEARTH_API_KEY_FILE: '/none' },
      { port: 'x' },
    );
    expect(found.map((line) => line.replace(/^(\S+:? \S+?:?) .*/, '$1'))).toEqual([
      '2:9: server.port:',
      '3:3: server.colour:',
      expect.stringMatching(/^5:\d+: models\.aliases\.default:$/),
      expect.stringMatching(/^7:\d+: providers\.cursor\.type:$/),
      expect.stringMatching(/^8:\d+: providers\.openai\.api_key:$/),
      expect.stringMatching(/^8:\d+: providers\.openai\.timeout:$/),
      expect.stringMatching(/^10:\d+: jobs\.webhook_hosts:$/),
      expect.stringMatching(/^12:\d+: keys\.0:$/),
      expect.stringMatching(/^13:\d+: keys\.1\.key_file:$/),
      expect.stringContaining('HEARTH_KEEP_ALIVE:'),
      expect.stringContaining('HEARTH_API_KEY and'),
      expect.stringContaining('--port:'),
    ]);
  });

  it('do not name what is wrong only because something else is', () => {
    const text = `providers:
  vllm: { models: [] }
failover_chains: { default: [local, vllm] }
server: { host: 0.0.0.0, allow_anonymous: maybe }
`;
    expect(problemsOf(text)).toEqual([
      expect.stringContaining('providers.vllm.base_url'),
      expect.stringContaining('server.allow_anonymous'),
    ]);
  });

  it('that are each alone are told as before', () => {
    expect(problemsOf('failover_chains: { default: [local, vllm, groq] }')).toEqual([
      expect.stringContaining('there is no provider "vllm"'),
      expect.stringContaining('there is no provider "groq"'),
    ]);
    expect(problemsOf('models: { aliases: { a: b, b: a, c: c } }')).toHaveLength(2);
    expect(problemsOf('server: { port: 8001 }\nserver: { port: 8002 }\n')).toEqual([
      expect.stringMatching(/^2:1: .*unique/),
    ]);
  });

  it('of the writing are the first slip alone, as it makes what follows wrong', () => {
    expect(problemsOf('providers: { openai: { api_key: $' + '{KEY}, timeout: 1m } }')).toEqual([
      '1:34: inside of { } a variable stands in quotes: "$' + '{NAME}"',
    ]);
  });

  it('of a text that a client sends are told at once as well', () => {
    const { errors } = checkText('server: { prt: 1 }\nproviders: { cursor: {} }\nkeys: [{ name: a }]\n');
    expect(errors).toEqual([
      expect.stringMatching(/^yaml:1:\d+: server\.prt/),
      expect.stringMatching(/^yaml:2:\d+: providers\.cursor\.type/),
      expect.stringMatching(/^yaml:3:\d+: keys\.0/),
    ]);
  });
});
