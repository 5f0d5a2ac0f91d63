import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { tinyGguf } from '../support/gguf-writer.ts';
import { runCli } from '../support/run-cli.ts';

let harness: Harness;
let folder: string;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
  folder = await mkdtemp(join(tmpdir(), 'hearth-list-'));
});
afterEach(async () => {
  await harness.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (config: Config, ...words: string[]) => runCli(config, words);

describe('hearth list --available', () => {
  const fields = {
    name: 'tiny',
    kind: 'chat',
    machine_gb: 4,
    context_tokens: 8_192,
    licence: 'apache-2.0',
    on_disk: false,
  };

  it('asks the running server', async () => {
    const { port } = new URL(await harness.http.listen());
    const config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
    const { text, code } = await run(config, 'list', '--available');
    expect(code).toBe(0);
    expect(text).toMatch(/^For machines with 4 GB of memory:\n {2}tiny .* q4_k_m \(200 MB\), q8_0 {2}apache-2\.0\n\n/);
    const json = await run(config, 'list', '--available', '--json');
    expect(JSON.parse(json.text)).toMatchObject([fields, { name: 'large', machine_gb: 32 }]);
  });

  it('works by itself where no server runs', async () => {
    const config = testConfig({}, { folder: join(folder, 'models') });
    const { text, code } = await run({ ...config, dataFolder: folder }, 'list', '--available');
    expect(code).toBe(0);
    expect(text).toContain('For machines with 32 GB of memory:\n  qwen3-30b-a3b ');
    expect(text).toMatch(/^ {2}qwen-7b-chat .* q4_k_m \(4\.8 GB\) .* tongyi-qianwen$/m);
  });
});

describe('an unknown command', () => {
  it.each([
    ['lst', 'Did you mean "list"?'],
    ['pul', 'Did you mean "pull"?'],
    ['improt', 'Did you mean "import"?'],
    ['servr', 'Did you mean "serve"?'],
    ['frobnicate', 'The commands are serve, run, decide, plan, search, pull'],
    ['li\u001b[31mst', '"li%1B[31mst"'],
  ])('such as %j is named, with the nearest one', async (word, expected) => {
    const { failures, code } = await run(testConfig(), word);
    expect(code).toBe(1);
    expect(failures).toEqual([expect.stringContaining(expected)]);
  });
});

describe('what is wrong with the words of a command', () => {
  it.each([
    [['load', '--context-lenght', '5'], "unknown option '--context-lenght'. Did you mean --context-length?"],
    [['pull'], "missing required argument 'model'. --help after the command lists what it takes."],
    [
      ['load', 'x', '--parallel', 'two'],
      "option '--parallel <number>' argument 'two' is invalid. It is a whole number above 0.",
    ],
  ])('is one line: %j', async (words, expected) => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      await expect(run(testConfig(), ...words)).rejects.toThrow('exit 1');
      expect(write.mock.calls).toEqual([[`hearth: ${expected}\n`]]);
    } finally {
      exit.mockRestore();
      write.mockRestore();
    }
  });
});

describe('hearth list and rm', () => {
  it('print nothing that a terminal would obey, and what is not listed', async () => {
    const { port } = new URL(await harness.http.listen());
    const config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
    harness.engine.models[0]!.name = 'a\u001b[31mb';
    const { text, failures } = await run(config, 'list');
    expect(text).toContain('a%1B[31mb');
    expect(failures).toEqual(['A link leads out of the model folder.']);
    const json = await run(config, 'list', '--json');
    expect(json.text).not.toContain('\u001b');
    expect(JSON.parse(json.text)[0].model).toContain('a\u001b[31mb');
  });

  it('say what was freed', async () => {
    const models = join(folder, 'models');
    await mkdir(models);
    await writeFile(join(folder, 'kept.gguf'), tinyGguf());
    await link(join(folder, 'kept.gguf'), join(models, 'linked-q4_0.gguf'));
    await writeFile(join(models, 'own-q4_0.gguf'), tinyGguf());
    const config = { ...testConfig({}, { folder: models }), dataFolder: folder };
    expect((await run(config, 'rm', 'linked')).text).toBe(
      'linked:q4_0 is deleted, nothing is freed: its bytes are still there under another name.\n',
    );
    expect((await run(config, 'rm', 'own')).text).toMatch(/^own:q4_0 is deleted, \S+ \w+ freed\.\n$/);
  });
});
