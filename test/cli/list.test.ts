import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/cli.ts';
import type { Config } from '../../src/config/schema.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';

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

/** What a command prints, and its exit code. */
async function run(config: Config, ...words: string[]): Promise<{ text: string; failures: string[]; code: number }> {
  const printed = { text: '', failures: [] as string[], code: -1 };
  const program = createProgram({
    configOf: () => config,
    env: {},
    terminal: {
      write: (text) => {
        printed.text += text;
      },
      fail: (text) => void printed.failures.push(text),
      isInteractive: false,
    },
    interrupted: () => new Promise(() => {}),
    setExitCode: (code) => {
      printed.code = code;
    },
  });
  await program.parseAsync(words, { from: 'user' });
  return printed;
}

describe('hearth list --available', () => {
  const fields = {
    name: 'tiny',
    kind: 'chat',
    machineGb: 4,
    contextTokens: 8_192,
    licence: 'apache-2.0',
    onDisk: false,
  };

  it('asks the running server', async () => {
    const { port } = new URL(await harness.http.listen());
    const config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
    const { text, code } = await run(config, 'list', '--available');
    expect(code).toBe(0);
    expect(text).toMatch(/^For machines with 4 GB of memory:\n {2}tiny .* q4_k_m \(200 MB\), q8_0 {2}apache-2\.0\n\n/);
    const json = await run(config, 'list', '--available', '--json');
    expect(JSON.parse(json.text)).toMatchObject([fields, { name: 'large', machineGb: 32 }]);
  });

  it('works by itself where no server runs', async () => {
    const config = testConfig({}, { folder: join(folder, 'models') });
    const { text, code } = await run({ ...config, dataFolder: folder }, 'list', '--available');
    expect(code).toBe(0);
    expect(text).toContain('For machines with 32 GB of memory:\n  qwen3-30b-a3b ');
    expect(text).toMatch(/^ {2}qwen-7b-chat .* q4_k_m \(4\.8 GB\) .* tongyi-qianwen$/m);
  });
});
