import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeBundle } from '../../src/cli/doctor-bundle.ts';
import { configurationFacts, networkSettings, providerFacts, serverFacts } from '../../src/cli/doctor-facts.ts';
import { reportLines } from '../../src/cli/doctor-report.ts';
import { localClient } from '../../src/cli/local-client.ts';
import { remoteClient } from '../../src/cli/remote-client.ts';
import { ConfigError } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { allRights } from '../../src/core/call.ts';
import { commandSayer } from '../../src/core/say-command.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { runCli } from '../support/run-cli.ts';

let harness: Harness;
let folder: string;
let address: string;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['canary-server-key'] });
  folder = await mkdtemp(join(tmpdir(), 'hearth-doctor-test-'));
  address = await harness.http.listen();
});
afterEach(async () => {
  await harness.close();
  await rm(folder, { recursive: true, force: true });
});

const sayCommand = commandSayer('hearth');
const alone = (config: Config) => localClient({ config, env: {}, address: null, sayCommand });
const client = (apiKey: string) =>
  remoteClient({ address, apiKey, sayCommand, openLocal: async () => alone(testConfig()) });

describe('what a server is asked', () => {
  it('is all of it with a key for administration', async () => {
    createLogger('info', { write: () => {} }, harness.logLines).error('a stream broke off');
    const asked = client('canary-server-key');
    const facts = await serverFacts(asked);
    await asked.close();
    expect(facts).toMatchObject({
      address,
      version: '1.2.3',
      status: 'healthy',
      brokenModels: [],
      configError: null,
      lastErrors: ['a stream broke off'],
    });
  });

  it('is what a lesser key may see; the rest is left out', async () => {
    const { key } = await harness.keyring.create({
      ...allRights,
      name: 'kitchen',
      scopes: ['inference'],
      expiresAt: null,
    });
    const asked = client(key);
    expect(await serverFacts(asked)).toMatchObject({ brokenModels: [], configError: null, lastErrors: null });
    await asked.close();
  });

  it('is nothing where none runs', async () => {
    const client = alone(testConfig());
    expect(await serverFacts(client)).toBeNull();
    await client.close();
  });
});

describe('what is known of the configuration', () => {
  const about = {
    env: { HEARTH_MODLES: 'x', HEARTH_TEST_MODELS: 'y', HEARTH_OWN: 'z', PATH: '/bin' },
    filePath: () => null,
  };

  it('has variables that nothing reads, with the name that was likely meant', async () => {
    const file = join(folder, 'hearth.yaml');
    await writeFile(file, 'providers:\n  openai:\n    api_key: $' + '{HEARTH_OWN}\n');
    const { unknownVariables } = configurationFacts(() => testConfig(), { ...about, filePath: () => file });
    expect(unknownVariables).toEqual([{ name: 'HEARTH_MODLES', nearest: 'HEARTH_MODELS' }]);
  });

  it('is why it cannot be used', () => {
    const problem = 'x.yaml:1:1: modles: is unknown';
    const read = () => {
      throw new ConfigError(problem);
    };
    expect(configurationFacts(read, about)).toMatchObject({ config: null, problem });
  });

  it('tells a server at this port from one elsewhere', () => {
    const config = testConfig({ port: 8000 });
    const about = { isOffline: false, address: null, wantsHub: false };
    const elsewhere = { ...config, server: { ...config.server, url: 'https://box.lan' } };
    expect(networkSettings(config, { ...about, address: 'http://127.0.0.1:8000' }).hearthAnswers).toBe(true);
    expect(networkSettings(elsewhere, { ...about, address: 'https://box.lan' }).hearthAnswers).toBe(false);
    expect(networkSettings(config, { ...about, isOffline: true })).toMatchObject({
      hearthAnswers: false,
      isOffline: true,
    });
  });
});

describe('the providers', () => {
  const cloud = cloudConfigOf(
    'providers: { openai: { api_key: k, base_url: http://127.0.0.1:9/v1 }, qwen: { enabled: false } }',
  );
  const user = { uid: 1000, gid: 1000, groups: [] };
  const box = (uid: number | null) => ({
    user,
    ownerOf: () => (uid === null ? null : { uid, gid: 1, mode: 0o755, isFolder: true }),
  });
  const ask = async (about: { isOffline?: boolean; uid?: number | null; allowed?: boolean }) => {
    const { isOffline = false, uid = 1000, allowed = true } = about;
    const config = { ...testConfig(), dataFolder: folder, cloud: { ...cloud, cloudAllowed: allowed } };
    const client = alone(config);
    const facts = await providerFacts(client, config, { isOffline, box: box(uid) });
    await client.close();
    return facts;
  };

  it('that are on are asked whether they would answer', async () => {
    const { providers } = await ask({});
    expect(providers).toMatchObject([{ id: 'openai', answered: false, error: expect.any(String) }]);
  });

  it.each([
    [{ isOffline: true }, '--offline'],
    [{ allowed: false }, 'global.cloud'],
    [{ uid: 1001 }, 'not one of this user'],
    [{ uid: null }, 'not one of this user'],
  ])('are not asked with %j', async (about, why) => {
    expect(await ask(about)).toEqual({ providers: null, providersWhy: expect.stringContaining(why) });
  });
});

describe('the report', () => {
  const bad = {
    id: 'a.b',
    severity: 'error' as const,
    title: 'Port',
    found: 'one\ntwo \u001b[2J',
    means: 'M.',
    fix: 'F.',
    facts: {},
  };
  const fine = { ...bad, severity: 'ok' as const, title: 'Node', found: 'v24', means: null, fix: null };

  it('has a line for each finding, what it means and what to do', () => {
    expect(reportLines([fine, bad], { isColoured: false })).toEqual([
      'ok       Node  v24',
      'ERROR    Port  one',
      '         two %1B[2J',
      '         M.',
      '         -> F.',
      '',
      '2 looked at: 1 ok, 0 notes, 0 warnings, 1 error.',
    ]);
  });

  it('is coloured for a terminal', () => {
    expect(reportLines([fine], { isColoured: true })[0]).toBe('\u001b[32mok     \u001b[0m  Node  v24');
  });
});

describe('the bundle', () => {
  it('has no key, token, prompt or name of a person, however they got there', async () => {
    const config = {
      ...testConfig({ apiKeys: ['canary-server-key'] }),
      cloud: cloudConfigOf(
        'providers: { openai: { api_key: canary-openai-key, headers: { x-team: canary-header-1 } } }',
      ),
    };
    config.pulls.hubToken = 'canary-hub-token';
    const log = createLogger('debug', { write: () => {} }, harness.logLines);
    log.error(
      { err: new Error('canary-openai-key was refused'), url: 'http://u:canary-password@h/' },
      'Bearer canary-bearer-1',
    );
    const asked = client('canary-server-key');
    const path = join(folder, 'report.json.gz');
    await writeBundle(path, {
      answer: { version: '1.2.3', findings: [] },
      settings: [
        { name: 'models.pinned_prompts', value: ['canary-prompt'], origin: 'x.yaml:1:1' },
        { name: 'server.api_key', value: '[redacted]', origin: 'HEARTH_API_KEY' },
        { name: 'models.folder', value: join(process.env['HOME'] ?? '/root', 'models'), origin: 'default' },
      ],
      config,
      client: asked,
    });
    await asked.close();
    const text = gunzipSync(await readFile(path)).toString();
    expect(text).not.toContain('canary');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const report = JSON.parse(text);
    expect(report).toMatchObject({
      version: '1.2.3',
      settings: [{ value: '1 texts' }, { value: '[redacted]' }, { value: '~/models' }],
      server: { health: { version: '1.2.3' }, models: { models: [expect.anything()] }, config: { error: null } },
    });
    expect(report.server.log[0].message).toBe('Bearer [redacted]');
    expect(report.server.metrics).toContainEqual(expect.stringMatching(/^hearth_/));
  });

  it('that cannot be written is told by name', async () => {
    const { failures, code } = await runCli({ ...testConfig(), dataFolder: folder }, [
      'doctor',
      '--offline',
      '--bundle',
      join(folder, 'none', 'report.json'),
    ]);
    expect([failures.at(-1), code]).toEqual([expect.stringContaining('cannot be written'), 2]);
  });
});

describe('hearth doctor', () => {
  it('looks at this machine by itself, and ends by what it found', async () => {
    const { text, code } = await runCli({ ...testConfig(), dataFolder: folder }, ['doctor', '--offline', '--json']);
    const answer = JSON.parse(text);
    expect(code).toBe(answer.exit_code);
    expect(answer.findings.map(({ id }: { id: string }) => id)).toEqual(
      expect.arrayContaining([
        'system.node',
        'processor.kernels',
        'memory.budget',
        'folders.data',
        'config.file',
        'server.running',
      ]),
    );
    expect(Object.keys(answer)).toEqual(['version', 'exit_code', 'counts', 'findings']);
    expect(Object.keys(answer.findings[0])).toEqual(['id', 'severity', 'title', 'found', 'means', 'fix', 'facts']);
  });
});
