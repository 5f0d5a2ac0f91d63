import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { runCli } from '../support/run-cli.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-key-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const create = ['key', 'create', 'kitchen', '--model', 'qwen', 'gemma', '--no-cloud', '--expires', '2027-01-31'];
const limits = ['--daily', '0.50', '--requests-per-minute', '5'];

describe('hearth key, with a server that runs', () => {
  let harness: Harness;
  let config: Config;
  beforeEach(async () => {
    harness = await createHarness({ apiKeys: ['secret-key'] });
    const { port } = new URL(await harness.http.listen());
    config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
  });
  afterEach(() => harness.close());

  it('makes a key that alone is printed, lists it and revokes it', async () => {
    const made = await runCli(config, [...create, ...limits]);
    expect([made.code, made.text]).toEqual([0, expect.stringMatching(/^sk-hearth-\S{43}\n$/)]);
    expect(made.failures).toEqual([
      'The key kitchen is shown this once. inference; models qwen, gemma; no cloud; $0.500000 daily; 5 requests per minute; until 2027-01-31T00:00:00.000Z',
    ]);
    expect(harness.keyring.list()[1]).toMatchObject({
      budget: { daily: 500_000_000n, weekly: null, monthly: null },
      rateLimits: { requestsPerMinute: 5, tokensPerMinute: null, requestsPerDay: null },
    });
    const listed = await runCli(config, ['key', 'list']);
    expect(listed.text).toMatch(
      /^api_key {2}of the setting .*\nkitchen {2}key_[0-9a-f]{18} {2}inference; models qwen, gemma;/,
    );
    expect(listed.text).not.toContain(made.text.trim());
    const [, kitchen] = JSON.parse((await runCli(config, ['key', 'list', '--json'])).text);
    expect(kitchen).toMatchObject({ budget: { daily: '0.500000' }, rate_limits: { requests_per_minute: 5 } });
    const revoked = await runCli(config, ['key', 'revoke', 'kitchen']);
    expect([revoked.code, revoked.text]).toEqual([0, `The key kitchen (…${made.text.trim().slice(-4)}) is revoked.\n`]);
    const again = await runCli(config, ['key', 'revoke', 'kitchen']);
    expect([again.code, again.failures[0]]).toEqual([1, expect.stringContaining('There is no key of this id or name')]);
  });

  it('says what is wrong with a wish in one line', async () => {
    expect(await runCli(config, ['key', 'create', 'api_key'])).toMatchObject({
      code: 1,
      failures: [expect.stringContaining('There is a key called "api_key" already.')],
    });
    expect(await runCli(config, ['key', 'create', 'late', '--expires', '2020-01-01'])).toMatchObject({
      code: 1,
      failures: [expect.stringContaining('has expired already')],
    });
  });

  it('says that a key without that scope may not', async () => {
    const { key } = await harness.keyring.create({
      name: 'kitchen',
      scopes: ['inference'],
      models: null,
      mayUseCloud: true,
      budget: null,
      rateLimits: null,
      expiresAt: null,
    });
    const own = { ...config, server: { ...config.server, apiKeys: [key] } };
    expect(await runCli(own, ['key', 'list'])).toMatchObject({
      code: 1,
      failures: ['This key is not one for administration. Use one that has the scope admin.'],
    });
  });
});

describe('hearth key, without a server', () => {
  it('works on the data folder, where a server finds the key', async () => {
    const base = testConfig({}, { folder: join(folder, 'models'), builtin: false });
    const config = { ...base, dataFolder: join(folder, 'data') };
    expect((await runCli(config, ['key', 'list'])).text).toBe(
      'There is no key yet. "hearth key create NAME --scope inference admin" makes the first.\n',
    );
    expect((await runCli(config, ['key', 'list', '--json'])).text).toBe('[]\n');
    const first = await runCli(config, ['key', 'create', 'kitchen']);
    expect([first.code, first.failures[0]]).toEqual([
      1,
      expect.stringContaining('The first key must be one for administration'),
    ]);
    const made = await runCli(config, ['key', 'create', 'me', '--scope', 'inference', 'admin', '--json']);
    expect(made.failures).toEqual([]);
    expect(JSON.parse(made.text)).toMatchObject({
      name: 'me',
      scopes: ['inference', 'admin'],
      key: expect.any(String),
    });
    const listed = await runCli(config, ['key', 'list', '--json']);
    expect(JSON.parse(listed.text)).toMatchObject([{ name: 'me', from: 'made', revoked_at: null }]);
    const revoked = await runCli(config, ['key', 'revoke', 'me', '--json']);
    expect([revoked.code, JSON.parse(revoked.text).name]).toEqual([0, 'me']);
    expect(JSON.parse((await runCli(config, ['key', 'list', '--json'])).text)[0].revoked_at).not.toBeNull();
  });
});
