import { describe, expect, it } from 'vitest';
import { commandSayer } from '../../src/core/say-command.ts';
import { type ConfigurationFacts, checkConfiguration } from '../../src/doctor/configuration.ts';
import { examine, exitCodeOf } from '../../src/doctor/doctor.ts';
import { checkNetwork, type NetworkSettings } from '../../src/doctor/network.ts';
import { checkProviders, checkServer, type ServerFacts } from '../../src/doctor/server.ts';
import { cloudOf, testConfig } from '../http/harness.ts';
import { type FakeMachine, fakeBox, findingOf } from '../support/fake-box.ts';

const sayCommand = commandSayer('./hearth');
const about = { ownVersion: '1.0.0', problem: null, sayCommand };
const hub = 'https://hub.example';
const settings: NetworkSettings = {
  host: '127.0.0.1',
  port: 8000,
  hub,
  hubProxy: null,
  isOffline: false,
  wantsHub: false,
  hearthAnswers: false,
  hasHours: false,
};
const answer = (date: string | null, text = '') => ({
  status: 200,
  text,
  date: date === null ? null : new Date(date),
  tookMs: 12,
});
const network = async (machine: FakeMachine, id: string, more: Partial<NetworkSettings> = {}) =>
  findingOf(await checkNetwork(fakeBox(machine), { ...settings, ...more }), id);

describe('the port', () => {
  it('is free, taken by Hearth, or any', async () => {
    expect((await network({}, 'network.port')).found).toBe('127.0.0.1:8000 is free');
    expect(
      (await network({ ports: { '127.0.0.1:8000': 'EADDRINUSE' } }, 'network.port', { hearthAnswers: true })).severity,
    ).toBe('ok');
    expect((await network({}, 'network.port', { port: 0 })).severity).toBe('ok');
  });

  it('that another program has names it by what the system tells', async () => {
    const machine = {
      ports: { '127.0.0.1:8000': 'EADDRINUSE' },
      files: {
        '/proc/net/tcp':
          '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n' +
          '   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 4711 1\n',
        '/proc/812/comm': 'ollama\n',
      },
      links: { '/proc/812/fd/3': 'socket:[4711]', '/proc/813/fd/3': 'socket:[9]' },
    };
    expect(await network(machine, 'network.port')).toMatchObject({
      severity: 'error',
      found: '127.0.0.1:8000 is in use by ollama (process 812)',
    });
    const hidden = { ports: { '127.0.0.1:8000': 'EADDRINUSE' } };
    expect((await network(hidden, 'network.port')).found).toContain('somebody else');
    expect(await network({ ports: { '127.0.0.1:8000': 'EADDRNOTAVAIL' } }, 'network.port')).toMatchObject({
      severity: 'error',
      fix: expect.stringContaining('--host'),
    });
  });
});

describe('hub and clock', () => {
  it.each([
    ['2026-11-29T10:00:01Z', 'ok'],
    ['2026-11-29T10:02:00Z', 'warning'],
    ['2026-11-29T09:52:00Z', 'error'],
    [null, 'ok'],
  ])('against a hub whose time is %s the clock is %s', async (date, severity) => {
    expect(await network({ answers: { [hub]: answer(date) } }, 'clock.time')).toMatchObject({ severity });
  });

  it('a year that is long past is an error without anybody to ask', async () => {
    expect((await network({ now: new Date('1970-01-01T00:05:00Z') }, 'clock.time')).severity).toBe('error');
  });

  it('that does not answer is a warning where a pull waits, else a note, and with --offline nobody outside is asked', async () => {
    expect(await network({ answers: { [hub]: { reason: 'ENOTFOUND' } } }, 'network.hub')).toMatchObject({
      severity: 'info',
      facts: { reached: false, reason: 'ENOTFOUND' },
    });
    expect((await network({}, 'network.hub', { wantsHub: true })).severity).toBe('warning');
    const asked: string[] = [];
    expect((await network({ asked }, 'network.hub', { isOffline: true })).severity).toBe('ok');
    expect(asked.every((url) => url.startsWith('http://127.0.0.1:'))).toBe(true);
    expect((await network({ asked: [] }, 'network.hub', { hubProxy: 'http://u:canary@proxy:1' })).found).not.toContain(
      'canary',
    );
  });

  it('hours of the day in UTC are warned of', async () => {
    expect((await network({ timeZone: 'UTC' }, 'clock.zone', { hasHours: true })).severity).toBe('warning');
    expect((await network({ timeZone: 'UTC' }, 'clock.zone')).severity).toBe('ok');
  });
});

describe('other servers', () => {
  it('are known by what they say, not by their port alone', async () => {
    const ollama = { 'http://127.0.0.1:11434/api/version': answer(null, '{"version":"0.5.1"}') };
    expect(await network({ answers: ollama }, 'network.neighbours')).toMatchObject({
      severity: 'ok',
      found: 'Ollama on port 11434',
    });
    const other = { 'http://127.0.0.1:11434/api/version': answer(null, '<html>') };
    expect((await network({ answers: other }, 'network.neighbours')).found).toContain('none');
    expect((await network({ answers: ollama }, 'network.neighbours', { port: 11434 })).found).toContain('none');
  });
});

describe('the configuration', () => {
  const facts = (more: Partial<ConfigurationFacts> = {}): ConfigurationFacts => ({
    config: testConfig(),
    problem: null,
    warnings: [],
    filePath: null,
    asksForKey: false,
    unknownVariables: [],
    ...more,
  });
  const found = (id: string, more: Partial<ConfigurationFacts>) =>
    findingOf(checkConfiguration(facts(more), sayCommand), `config.${id}`);

  it('that cannot be used says where, in each of its lines', () => {
    const problem = '/etc/h.yaml:3:5: server.port: must be a number\n/etc/h.yaml:9:1: modles: is unknown';
    expect(found('file', { config: null, problem })).toMatchObject({ severity: 'error', found: problem });
    expect(checkConfiguration(facts({ config: null, problem }), sayCommand).map(({ id }) => id)).toEqual([
      'config.file',
      'config.variables',
    ]);
  });

  it('warns of what is likely a mistake, and of variables that nothing reads', () => {
    expect(found('file', { warnings: ["Provider 'a' has no api_key"] }).severity).toBe('warning');
    const unknownVariables = [{ name: 'HEARTH_MODLES', nearest: 'HEARTH_MODELS' }];
    expect(found('variables', { unknownVariables }).found).toBe('HEARTH_MODLES (HEARTH_MODELS?)');
  });

  it('counts keys and shows none', () => {
    const config = {
      ...testConfig({ host: '0.0.0.0', apiKeys: ['canary-key-1'] }),
      cloud: cloudOf({ providers: { openai: { api_key: 'canary-key-2' }, anthropic: { api_key: 'canary-key-3' } } }),
    };
    const all = checkConfiguration(facts({ config, asksForKey: true }), sayCommand);
    expect(JSON.stringify(all)).not.toContain('canary');
    expect(findingOf(all, 'config.keys').facts).toMatchObject({ keys_of_settings: 1 });
    expect(findingOf(all, 'config.providers').found).toBe('openai (key set), anthropic (key set)');
  });

  it('that lets everybody in from other machines is warned of', () => {
    const config = testConfig({ host: '0.0.0.0', allowAnonymous: true });
    expect(found('keys', { config })).toMatchObject({
      severity: 'warning',
      fix: expect.stringContaining('key create'),
    });
    expect(found('keys', {}).severity).toBe('ok');
  });
});

describe('the server', () => {
  const running: ServerFacts = {
    address: 'http://127.0.0.1:8000',
    version: '1.0.0',
    status: 'healthy',
    components: { engine: 'healthy', database: 'healthy' },
    brokenModels: [],
    leftOut: [],
    configError: null,
    lastErrors: [],
  };
  const server = (more: Partial<ServerFacts>, id: string) =>
    findingOf(checkServer({ ...running, ...more }, about), `server.${id}`);

  it('need not run; one that cannot be asked is a warning', () => {
    expect(checkServer(null, about)).toMatchObject([{ severity: 'ok', found: 'does not run' }]);
    expect(checkServer(null, { ...about, problem: 'no Hearth answers' })).toMatchObject([{ severity: 'warning' }]);
  });

  it('tells what is not in order', () => {
    expect(checkServer(running, about).map(({ severity }) => severity)).toEqual(['ok', 'ok', 'ok']);
    expect(server({ status: 'degraded', components: { providers: 'degraded' } }, 'running')).toMatchObject({
      severity: 'warning',
      means: expect.stringContaining('providers (degraded)'),
    });
    expect(server({ status: 'unhealthy' }, 'running').severity).toBe('error');
    expect(server({ configError: 'x.yaml:1:1: broken' }, 'running').severity).toBe('error');
    expect(server({ version: '0.9.0' }, 'running').severity).toBe('warning');
    expect(server({ brokenModels: [{ name: 'a:q4_0', reason: 'cut short' }] }, 'models').found).toContain('cut short');
    expect(server({ lastErrors: ['one', 'two'] }, 'log').found).toContain('the latest: two');
  });

  it('of which this key may not see everything leaves that out, and says so', () => {
    const facts = { ...running, brokenModels: null, leftOut: null, lastErrors: null };
    const found = checkServer(facts, about);
    expect(found.map(({ id, severity }) => [id, severity])).toEqual([['server.running', 'ok']]);
    expect(found[0]!.means).toContain('is left out');
  });

  it('providers answer, do not, or were not asked', () => {
    const fine = { id: 'openai', answered: true, latencyMs: 80, error: null };
    expect(checkProviders([fine], null, sayCommand)).toMatchObject({
      severity: 'ok',
      found: 'openai answers, in 80 ms',
    });
    const refused = { id: 'claude', answered: false, latencyMs: null, error: 'Access denied' };
    expect(checkProviders([fine, refused], null, sayCommand)).toMatchObject({
      severity: 'warning',
      found: expect.stringContaining('Access denied'),
    });
    expect(checkProviders(null, 'not asked (--offline)', sayCommand)).toMatchObject({
      severity: 'ok',
      found: 'not asked (--offline)',
    });
  });
});

describe('the whole examination', () => {
  it('of a healthy box finds nothing, with an id for each thing', async () => {
    const findings = await examine({
      box: fakeBox({ answers: { [hub]: answer('2026-11-29T10:00:00Z') } }),
      probeKernels: async () => ({ kernels: { name: 'haswell', isBuiltHere: true } }),
      version: '1.0.0',
      configuration: {
        config: testConfig(),
        problem: null,
        warnings: [],
        filePath: null,
        asksForKey: false,
        unknownVariables: [],
      },
      folders: {
        modelsFolder: '/models',
        dataFolder: '/data',
        configFile: null,
        reserveBytes: 0,
        hasOwnDatabase: true,
      },
      network: settings,
      memory: { memoryLimitBytes: null, memoryReserveBytes: null },
      gpuWish: 'auto',
      server: null,
      serverProblem: null,
      providers: [],
      providersWhy: null,
    });
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(exitCodeOf(findings)).toBe(0);
    const ids = findings.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[a-z]+\.[a-z_]+$/.test(id))).toBe(true);
  });

  it('ends by the worst that was found', () => {
    const of = (...severities: ('ok' | 'warning' | 'error')[]) =>
      exitCodeOf(
        severities.map((severity) => ({
          id: 'a.b',
          severity,
          title: '',
          found: '',
          means: null,
          fix: null,
          facts: {},
        })),
      );
    expect([of('ok'), of('ok', 'warning'), of('warning', 'error'), of()]).toEqual([0, 1, 2, 0]);
  });
});
