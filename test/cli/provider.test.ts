import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { cloudProvider } from '../support/cloud-provider.ts';
import { runCli } from '../support/run-cli.ts';

const cloud = cloudConfigOf(
  'providers: { openai: { api_key: k, models: [{ id: gpt-4o }] }, anthropic: { api_key: k }, qwen: { enabled: false } }',
);
let harness: Harness;
let folder: string;
let config: ReturnType<typeof testConfig>;
beforeEach(async () => {
  const refused = new AppError('upstream_access_denied', 'the key sk-secret is wrong');
  const providers = [
    cloudProvider('openai', ['gpt-4o'], { probe: async () => {} }),
    cloudProvider('anthropic', ['claude-3-sonnet', 'claude-3-opus'], { probe: () => Promise.reject(refused) }),
    cloudProvider('qwen', []),
  ];
  harness = await createHarness({ apiKeys: ['secret-key'] }, {}, providers, cloud);
  folder = await mkdtemp(join(tmpdir(), 'hearth-provider-'));
  const { port } = new URL(await harness.http.listen());
  config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
});
afterEach(async () => {
  await harness.close();
  await rm(folder, { recursive: true, force: true });
});

describe('hearth provider', () => {
  it('lists the providers of the running server', async () => {
    const { text, code } = await runCli(config, ['provider', 'list']);
    expect(code).toBe(0);
    expect(text).toBe(
      [
        'local      on   healthy  1 model   default',
        'openai     on   unknown  1 model   gpt-4o',
        'anthropic  on   unknown  2 models',
        'qwen       off           0 models',
        '',
      ].join('\n'),
    );
    const json = await runCli(config, ['provider', 'list', '--json']);
    expect(JSON.parse(json.text)[1]).toEqual({
      id: 'openai',
      type: 'openai-compatible',
      enabled: true,
      status: 'unknown',
      models_count: 1,
      default_model: 'gpt-4o',
    });
  });

  it('tests those that are on, and fails when one would not answer', async () => {
    const all = await runCli(config, ['provider', 'test']);
    expect(all.text).toBe('openai  healthy  0 ms\nanthropic  unhealthy: Access denied\n');
    expect(all.code).toBe(1);
    const one = await runCli(config, ['provider', 'test', 'openai']);
    expect([one.text, one.code]).toEqual(['openai  healthy  0 ms\n', 0]);
    expect(await runCli(config, ['provider', 'test', 'qwen'])).toMatchObject({ text: 'qwen  disabled\n', code: 1 });
  });

  it('names one that is not there', async () => {
    const { failures, code } = await runCli(config, ['provider', 'test', 'cursor']);
    expect([failures, code]).toEqual([['There is no provider called "cursor".'], 1]);
  });

  it('sends nothing where the configuration forbids it', async () => {
    harness.next.load = () => ({ ...testConfig(), cloud: { ...cloud, cloudAllowed: false } });
    harness.configuration.reload();
    const { failures, code } = await runCli(config, ['provider', 'test', 'openai']);
    expect([failures, code]).toEqual([['This server sends nothing to cloud providers.'], 1]);
  });

  it('works by itself where no server runs', async () => {
    const alone = { ...testConfig({}, { folder: join(folder, 'models'), builtin: false }), dataFolder: folder, cloud };
    const { text, code } = await runCli(alone, ['provider', 'list', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject([
      { id: 'local', enabled: true },
      { id: 'openai', enabled: true, models_count: 1 },
      { id: 'anthropic', enabled: true },
      { id: 'qwen', enabled: false },
    ]);
  });
});
