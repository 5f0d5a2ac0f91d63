import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { PullView } from '../../src/cli/client.ts';
import type { CommandDeps } from '../../src/cli/command.ts';
import { chooseFirstModel } from '../../src/cli/first-model.ts';
import { commandSayer } from '../../src/core/say-command.ts';

const pull: PullView = {
  id: 'pull-1',
  model: 'qwen3-1.7b:q8_0',
  repository: 'Qwen/Qwen3-1.7B-GGUF',
  state: 'downloading',
  totalBytes: 4,
  receivedBytes: 0,
  bytesPerSecond: null,
  planMessage: null,
  notes: [],
  error: null,
};

function setup({ models = ['hearth-guide-3m'], end = 'done' }: { models?: string[]; end?: string } = {}) {
  const pulled: string[] = [];
  const said: string[] = [];
  const input = new PassThrough();
  const client = {
    address: 'http://127.0.0.1:8000',
    modelRecords: async () => ({ models: models.map((name) => ({ name, state: 'unloaded' })), cloud_models: [] }),
    suggestions: async () => [
      { name: 'qwen3-0.6b', size_bytes: 6e8, tokens_per_second: 40.2 },
      { name: 'qwen3-1.7b', size_bytes: 1.8e9, tokens_per_second: 14 },
    ],
    outlivesUs: true,
    async pull({ name }: { name: string }) {
      pulled.push(name);
      return pull;
    },
    async *follow() {
      yield { ...pull, state: end };
    },
  } as unknown as Parameters<typeof chooseFirstModel>[1];
  const say = (text: string) => void said.push(text);
  const deps = {
    terminal: { write: say, fail: say, note: say, isInteractive: true, areNotesWatched: true, columns: () => 80 },
    keyboard: { input, output: new PassThrough() },
    sayCommand: commandSayer('./hearth'),
    interrupted: () => new Promise(() => {}),
  } as unknown as CommandDeps;
  return { deps, client, input, pulled, said };
}

describe('who names no model where only the built-in one is there', () => {
  it.each([
    ['2', 'qwen3-1.7b', ['qwen3-1.7b']],
    ['x1', 'qwen3-0.6b', ['qwen3-0.6b']],
    ['\r', 'default', []],
    ['\u0003', null, []],
  ])('is offered those that suit the machine, and by pressing %j goes on with %s', async (keys, name, wanted) => {
    const { deps, client, input, pulled, said } = setup();
    const chosen = chooseFirstModel(deps, client, true);
    input.write(keys);
    expect(await chosen).toBe(name);
    expect(pulled).toEqual(wanted);
    expect(said.join('')).toContain('  2  qwen3-1.7b   1.8 GB  about 14 tokens/s\nPress 1 to 2');
  });

  it('does not go on with a model whose pull failed', async () => {
    const { deps, client, input } = setup({ end: 'failed' });
    const chosen = chooseFirstModel(deps, client, true);
    input.write('1');
    expect(await chosen).toBeNull();
  });

  it('is told how to get one where nobody is asked', async () => {
    const { deps, client, said } = setup();
    expect(await chooseFirstModel(deps, client, false)).toBe('default');
    expect(said).toEqual([expect.stringContaining('"./hearth list --available" shows what can be pulled.')]);
  });

  it('is asked nothing where there are models of one\u2019s own', async () => {
    const { deps, client, said } = setup({ models: ['hearth-guide-3m', 'qwen3-4b'] });
    expect(await chooseFirstModel(deps, client, true)).toBe('default');
    expect(said).toEqual([]);
  });
});
