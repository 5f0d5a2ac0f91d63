import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, type ConfigFlags, loadConfig } from '../../src/config/load.ts';
import { noCloud } from '../http/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
const project = fileURLToPath(new URL('../..', import.meta.url));

let files = 0;
/** Writes a YAML file and gives its path. */
function yaml(text: string | Buffer): string {
  const path = join(folder, `config-${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

const load = (flags: ConfigFlags = {}, env: Record<string, string> = {}) => loadConfig({ flags, env, cwd: folder });
const loadText = (text: string | Buffer) => load({ config: yaml(text) });

/** As Standard Webhooks has one. */
const webhookSecret = `whsec_${Buffer.alloc(32, 'canary').toString('base64')}`;

describe('sources', () => {
  test('with nothing set, the defaults hold', () => {
    expect(load()).toEqual({
      server: {
        host: '127.0.0.1',
        port: 8000,
        url: null,
        allowedHosts: [],
        origins: [],
        apiKeys: [],
        allowAnonymous: false,
        trustedProxies: [],
        dropAttribution: true,
        bodyLimitBytes: 4_194_304,
        drainMs: 8_000,
      },
      models: {
        folder: join(project, 'models'),
        default: null,
        builtin: true,
        followLinks: false,
        aliases: {},
        keepAliveMs: 300_000,
        keepAliveMsOf: {},
        restore: true,
        pinned: [],
        contextTokens: null,
        parallel: null,
        maxQueue: 64,
        prefixVaultBytes: 2 ** 30,
        prefixVaultMinMs: 2_000,
        pinnedPrompts: [],
        prefixSharing: 'per_key',
        loadTimeoutMs: 600_000,
      },
      pulls: {
        hub: 'https://huggingface.co',
        hubToken: null,
        hubProxy: null,
        hubNoProxy: [],
        hosts: [],
        allowPrivate: false,
        bytesPerSecond: null,
        hours: null,
        reserveBytes: 2 ** 30,
        resume: true,
        importFolders: [],
      },
      engine: {
        threads: null,
        calibrate: true,
        gpu: 'auto',
        drafts: 'auto',
        memoryReserveBytes: null,
        memoryLimitBytes: null,
      },
      files: { maxSizeBytes: 512 * 2 ** 20, maxTotalBytes: 4 * 2 ** 30 },
      jobs: {
        maxSlots: 4,
        hours: null,
        modelsPerWindow: null,
        keepMs: 29 * 24 * 3_600_000,
        bodyLimitBytes: 32 * 2 ** 20,
        pauseAboveCelsius: null,
        runOnBattery: false,
        ups: null,
        webhookHosts: [],
        webhookSecret: null,
        webhookUrl: null,
        webhookAllowPrivate: false,
      },
      dataFolder: join(project, 'data'),
      storage: { url: null, sealKey: null },
      log: { level: 'info', format: 'auto' },
      cloud: noCloud,
    });
  });

  test('a flag wins over the environment, which wins over the file, setting by setting', () => {
    const config = yaml('server: {port: 1001, drain: 1s, body_limit: 1MiB}');
    const all = load({ config, port: '1003' }, { HEARTH_PORT: '1002', HEARTH_DRAIN: '2s' });
    expect(all.server).toMatchObject({ port: 1003, drainMs: 2_000, bodyLimitBytes: 2 ** 20 });
    expect(load({ config }, { HEARTH_PORT: '1002' }).server.port).toBe(1002);
    expect(load({ config }).server.port).toBe(1001);
  });

  test('every variable sets its setting', () => {
    const env = {
      HEARTH_HOST: '0.0.0.0',
      HEARTH_PORT: '8010',
      HEARTH_URL: 'https://nas.local/hearth',
      HEARTH_MODELS: '/srv/models',
      HEARTH_DATA: '/srv/data',
      HEARTH_ALLOWED_HOSTS: 'NAS.local, hearth.lan',
      HEARTH_ORIGINS: 'https://nas.local:8443,*',
      HEARTH_API_KEY: 'a-key',
      HEARTH_ALLOW_ANONYMOUS: '1',
      HEARTH_TRUSTED_PROXIES: '127.0.0.1, fd00::/8',
      HEARTH_DROP_ATTRIBUTION: 'no',
      HEARTH_BODY_LIMIT: '1MiB',
      HEARTH_DRAIN: '3s',
      HEARTH_DEFAULT_MODEL: 'qwen',
      HEARTH_KEEP_ALIVE: '-1',
      HEARTH_RESTORE: 'off',
      HEARTH_PINNED: 'qwen, small:q4_0',
      HEARTH_CONTEXT_LENGTH: '4096',
      HEARTH_PARALLEL: '3',
      HEARTH_MAX_QUEUE: '7',
      HEARTH_PREFIX_VAULT: '64MiB',
      HEARTH_PREFIX_VAULT_MIN: '500ms',
      HEARTH_PREFIX_SHARING: 'shared',
      HEARTH_LOAD_TIMEOUT: '2m',
      HEARTH_HUB: 'https://hub.example',
      HEARTH_HUB_TOKEN: 'hf_token',
      HEARTH_HUB_PROXY: 'http://proxy.lan:3128',
      HEARTH_HUB_NO_PROXY: 'localhost, .lan',
      HEARTH_PULL_HOSTS: 'CDN.example, files.example',
      HEARTH_PULL_ALLOW_PRIVATE: 'yes',
      HEARTH_PULL_RATE: '5MB',
      HEARTH_PULL_WINDOW: '01:00-06:00',
      HEARTH_PULL_RESERVE: '2GiB',
      HEARTH_PULL_RESUME: 'no',
      HEARTH_IMPORT_FOLDERS: '/srv/in,/srv/more',
      HEARTH_THREADS: '2',
      HEARTH_CALIBRATE: 'off',
      HEARTH_GPU: 'vulkan',
      HEARTH_DRAFTS: 'off',
      HEARTH_MEMORY_RESERVE: '1GiB',
      HEARTH_MEMORY_LIMIT: '6GiB',
      HEARTH_FILES_MAX_SIZE: '200MiB',
      HEARTH_FILES_MAX_TOTAL: '2GiB',
      HEARTH_BUILTIN_MODEL: 'off',
      HEARTH_FOLLOW_LINKS: 'on',
      HEARTH_LOG_LEVEL: 'debug',
      HEARTH_LOG_FORMAT: 'json',
      HEARTH_JOBS_MAX_SLOTS: '2',
      HEARTH_JOBS_WINDOW: '23:00-06:00',
      HEARTH_JOBS_MODELS_PER_WINDOW: '1',
      HEARTH_JOBS_KEEP: '7d',
      HEARTH_JOBS_BODY_LIMIT: '1MiB',
      HEARTH_JOBS_PAUSE_ABOVE_CELSIUS: '80',
      HEARTH_JOBS_ON_BATTERY: 'run',
      HEARTH_JOBS_UPS: 'nas.lan/ups',
      HEARTH_JOBS_WEBHOOK_HOSTS: 'Hooks.Example.com, nas.lan',
      HEARTH_JOBS_WEBHOOK_SECRET: webhookSecret,
      HEARTH_JOBS_WEBHOOK_URL: 'https://hooks.example.com/batches',
      HEARTH_JOBS_WEBHOOK_ALLOW_PRIVATE: 'on',
    };
    expect(load({}, env)).toEqual({
      server: {
        host: '0.0.0.0',
        port: 8010,
        url: 'https://nas.local/hearth',
        allowedHosts: ['nas.local', 'hearth.lan'],
        origins: ['https://nas.local:8443', '*'],
        apiKeys: ['a-key'],
        allowAnonymous: true,
        trustedProxies: ['127.0.0.1', 'fd00::/8'],
        dropAttribution: false,
        bodyLimitBytes: 2 ** 20,
        drainMs: 3_000,
      },
      models: {
        folder: '/srv/models',
        default: 'qwen',
        builtin: false,
        followLinks: true,
        aliases: {},
        keepAliveMs: Number.POSITIVE_INFINITY,
        keepAliveMsOf: {},
        restore: false,
        pinned: ['qwen', 'small:q4_0'],
        contextTokens: 4096,
        parallel: 3,
        maxQueue: 7,
        prefixVaultBytes: 64 * 2 ** 20,
        prefixVaultMinMs: 500,
        pinnedPrompts: [],
        prefixSharing: 'shared',
        loadTimeoutMs: 120_000,
      },
      pulls: {
        hub: 'https://hub.example',
        hubToken: 'hf_token',
        hubProxy: 'http://proxy.lan:3128',
        hubNoProxy: ['localhost', '.lan'],
        hosts: ['cdn.example', 'files.example'],
        allowPrivate: true,
        bytesPerSecond: 5e6,
        hours: { startMinute: 60, endMinute: 360 },
        reserveBytes: 2 * 2 ** 30,
        resume: false,
        importFolders: ['/srv/in', '/srv/more'],
      },
      engine: {
        threads: 2,
        calibrate: false,
        gpu: 'vulkan',
        drafts: 'off',
        memoryReserveBytes: 2 ** 30,
        memoryLimitBytes: 6 * 2 ** 30,
      },
      files: { maxSizeBytes: 200 * 2 ** 20, maxTotalBytes: 2 * 2 ** 30 },
      jobs: {
        maxSlots: 2,
        hours: { startMinute: 1_380, endMinute: 360 },
        modelsPerWindow: 1,
        keepMs: 7 * 24 * 3_600_000,
        bodyLimitBytes: 2 ** 20,
        pauseAboveCelsius: 80,
        runOnBattery: true,
        ups: { host: 'nas.lan', port: 3_493, name: 'ups' },
        webhookHosts: ['hooks.example.com', 'nas.lan'],
        webhookSecret: expect.anything(),
        webhookUrl: 'https://hooks.example.com/batches',
        webhookAllowPrivate: true,
      },
      dataFolder: '/srv/data',
      storage: { url: null, sealKey: null },
      log: { level: 'debug', format: 'json' },
      cloud: noCloud,
    });
  });

  test('an empty variable counts as not set', () => {
    expect(load({}, { HEARTH_PORT: '', HEARTH_API_KEY: ' ', HEARTH_CONFIG: '' }).server).toMatchObject({
      port: 8000,
      apiKeys: [],
    });
  });

  test('relative folders count from the working folder, those of the file from the file', () => {
    const config = yaml('models: {folder: ../shelf}\ndata_folder: state');
    const fromFile = loadConfig({ flags: { config }, env: {}, cwd: '/elsewhere' });
    expect(fromFile.models.folder).toBe(join(folder, '..', 'shelf'));
    expect(fromFile.dataFolder).toBe(join(folder, 'state'));
    const fromOutside = loadConfig({ flags: { models: 'shelf' }, env: { HEARTH_DATA: 'state' }, cwd: '/elsewhere' });
    expect(fromOutside.models.folder).toBe('/elsewhere/shelf');
    expect(fromOutside.dataFolder).toBe('/elsewhere/state');
  });

  test('a file with a mark of byte order, with empty sections or with nothing at all gives the defaults', () => {
    for (const text of ['', '# nothing', 'server:\nmodels:\n', '\ufeffserver: {}', '{}'])
      expect(loadText(text)).toEqual(load());
  });

  test('the example file loads and says what the defaults are', () => {
    expect(load({ config: join(project, 'hearth.example.yaml') })).toEqual(load());
  });

  test('pinned prompts are texts for all models, or for one', () => {
    const text = 'models:\n  pinned_prompts:\n    - You are kind.\n    - {model: Qwen, prompt: "You are, a cook."}\n';
    expect(loadText(text).models.pinnedPrompts).toEqual([
      { model: null, prompt: 'You are kind.' },
      { model: 'Qwen', prompt: 'You are, a cook.' },
    ]);
    for (const wrong of ['text', '[1]', '[""]', '[{prompt: x}]', '[{model: m}]', '[{model: m, prompt: " "}]']) {
      expect(() => loadText(`models: {pinned_prompts: ${wrong}}`), wrong).toThrow(/models\.pinned_prompts.*must/);
    }
  });

  test('single models have keep-alive times of their own', () => {
    const { models } = loadText('models: {keep_alives: {big: 0, small: -1, other: 90s}, pinned: small}');
    expect(models.keepAliveMsOf).toEqual({ big: 0, small: Number.POSITIVE_INFINITY, other: 90_000 });
    expect(models.pinned).toEqual(['small']);
    expect(() => loadText('models: {keep_alives: {big: soon}}')).toThrow(/models\.keep_alives\.big.*must be seconds/);
  });

  test('several keys stand in one text with commas, in a list, or in the lines of a file', () => {
    const keys = ['key-1', 'key-2'];
    expect(load({}, { HEARTH_API_KEY: 'key-1, key-2' }).server.apiKeys).toEqual(keys);
    expect(loadText('server: {api_key: [key-1, key-2]}').server.apiKeys).toEqual(keys);
    expect(loadText('server: {api_key: "key-1,key-2"}').server.apiKeys).toEqual(keys);
    expect(load({}, { HEARTH_API_KEY_FILE: yaml('key-1\r\nkey-2\n') }).server.apiKeys).toEqual(keys);
    // Nothing but commas is a mistake, not a wish for a server without a key.
    expect(() => load({}, { HEARTH_API_KEY: ',' })).toThrow(/HEARTH_API_KEY: must hold a key/);
    expect(() => loadText('server: {api_key: []}')).toThrow(/server\.api_key: must hold a key/);
    expect(() => load({}, { HEARTH_API_KEY: 'key 1,key-2' })).toThrow(/without blanks/);
  });

  test('pulls are set under models, and the variables of the hub count where ours are not set', () => {
    const text = `models: {hub: 'https://hub.example', pull_window: '22:00-06:30', pull_rate: 2MB, import_folders: [in]}`;
    expect(loadText(text).pulls).toMatchObject({
      hub: 'https://hub.example',
      hours: { startMinute: 22 * 60, endMinute: 6 * 60 + 30 },
      bytesPerSecond: 2e6,
      importFolders: [join(folder, 'in')],
    });
    const hubs = { HF_ENDPOINT: 'https://mirror.example', HF_TOKEN: 'hf_one' };
    expect(load({}, hubs).pulls).toMatchObject({ hub: 'https://mirror.example', hubToken: 'hf_one' });
    expect(load({}, { ...hubs, HEARTH_HUB: 'https://own.example', HEARTH_HUB_TOKEN: ' ' }).pulls).toMatchObject({
      hub: 'https://own.example',
      hubToken: 'hf_one',
    });
  });

  test('the proxy of other programs counts where ours is not set, and none means none', () => {
    const common = { HTTPS_PROXY: 'proxy.lan:3128', NO_PROXY: 'localhost,10.0.0.0/8', HTTP_PROXY: 'socks5://other' };
    expect(load({}, common).pulls).toMatchObject({
      hubProxy: 'http://proxy.lan:3128',
      hubNoProxy: ['localhost', '10.0.0.0/8'],
    });
    expect(load({}, { ...common, HEARTH_HUB_PROXY: 'none' }).pulls.hubProxy).toBeNull();
    // Set for other programs, and of no use to us: the server starts all the same.
    expect(load({}, { HTTPS_PROXY: 'socks5://proxy.lan:1080' }).pulls.hubProxy).toBeNull();
    for (const text of ['socks5://proxy.lan', 'http://proxy.lan/path', 'http://', 'http://us:100%@proxy.lan']) {
      expect(() => load({}, { HEARTH_HUB_PROXY: text })).toThrow(/HEARTH_HUB_PROXY.*such as http:/);
    }
  });

  test('the key may come from a file, but not from two places', () => {
    const path = yaml('secret-key\n');
    expect(load({}, { HEARTH_API_KEY_FILE: path }).server.apiKeys).toEqual(['secret-key']);
    expect(() => load({}, { HEARTH_API_KEY_FILE: path, HEARTH_API_KEY: 'x' })).toThrow(/set only one/);
    expect(() => load({}, { HEARTH_API_KEY_FILE: yaml('') })).toThrow(/1 to 512 characters/);
    expect(() => load({}, { HEARTH_API_KEY_FILE: '/no/such/file' })).toThrow(/cannot be read/);
  });
});

describe('the secret of webhooks', () => {
  const secretOf = (config: ReturnType<typeof load>) => config.jobs.webhookSecret?.reveal();

  test('comes from a variable, a file that a variable names, or a variable that the file names', () => {
    expect(secretOf(load({}, { HEARTH_JOBS_WEBHOOK_SECRET: webhookSecret }))).toBe(webhookSecret);
    expect(secretOf(load({}, { HEARTH_JOBS_WEBHOOK_SECRET_FILE: yaml(`${webhookSecret}\n`) }))).toBe(webhookSecret);
    const config = yaml('jobs: { webhook_secret: "${HOOK}", webhook_hosts: [nas.lan] }');
    const loaded = load({ config }, { HOOK: webhookSecret });
    expect(secretOf(loaded)).toBe(webhookSecret);
    expect(JSON.stringify(loaded)).not.toContain(webhookSecret);
  });

  test('has a form, and is needed where there are webhooks', () => {
    for (const wrong of ['canary', `whsec_${Buffer.alloc(23).toString('base64')}`, 'whsec_a+b', `${webhookSecret}!`]) {
      const refused = /HEARTH_JOBS_WEBHOOK_SECRET: must be whsec_ and 24 to 64 bytes(?!.*canary)/;
      expect(() => load({}, { HEARTH_JOBS_WEBHOOK_SECRET: wrong }), wrong).toThrow(refused);
    }
    expect(() => load({}, { HEARTH_JOBS_WEBHOOK_HOSTS: 'nas.lan' })).toThrow(/needs jobs\.webhook_secret/);
  });

  test('is of no use to an address that webhooks may not go to', () => {
    for (const wrong of ['nas.lan/x', 'ftp://nas.lan/x', 'https://me:word@nas.lan/x', 'https://nas.lan/x#y']) {
      expect(() => load({}, { HEARTH_JOBS_WEBHOOK_URL: wrong }), wrong).toThrow(/WEBHOOK_URL: must be an address/);
    }
    const config = yaml(`jobs: { webhook_hosts: [nas.lan], webhook_url: "https://other.lan/x?y=z" }`);
    expect(() => load({ config }, { HEARTH_JOBS_WEBHOOK_SECRET: webhookSecret })).toThrow(
      /:1:\d+: jobs\.webhook_url: leads to other\.lan, which is not in jobs\.webhook_hosts/,
    );
  });
});

describe('the database of replicas', () => {
  const url = 'postgres://hearth:canary@db.lan:5432/hearth';
  const urlOf = (config: ReturnType<typeof load>) => config.storage.url?.reveal();

  test('is named by a variable, by a file that a variable names, or by a variable that the file names', () => {
    expect(urlOf(load({}, { HEARTH_STORAGE_URL: url }))).toBe(url);
    expect(urlOf(load({}, { HEARTH_STORAGE_URL_FILE: yaml(`${url}\n`) }))).toBe(url);
    const config = yaml('storage: { url: "postgres://hearth:${PASSWORD}@db.lan/hearth", seal_key: "${SEAL}" }');
    const seal = 'x'.repeat(32);
    const loaded = load({ config }, { PASSWORD: 'canary', SEAL: seal });
    expect(urlOf(loaded)).toBe('postgres://hearth:canary@db.lan/hearth');
    expect(loaded.storage.sealKey?.reveal()).toBe(seal);
    expect(JSON.stringify(loaded)).not.toMatch(/canary|xxx/);
    expect(() => load({ config }, { SEAL: seal })).toThrow(/:1:17: storage\.url: the variable PASSWORD is not set/);
  });

  test('is named once, and by an address of PostgreSQL; what is wrong with it is said without it', () => {
    const twice = { HEARTH_STORAGE_URL: url, HEARTH_STORAGE_URL_FILE: yaml(url) };
    expect(() => load({}, twice)).toThrow('HEARTH_STORAGE_URL and HEARTH_STORAGE_URL_FILE are both set');
    expect(() => load({}, { HEARTH_STORAGE_URL_FILE: '/no/such/file' })).toThrow(
      /HEARTH_STORAGE_URL_FILE: .*cannot be read/,
    );
    for (const wrong of ['mysql://a:canary@b/c', 'canary', 'postgres://db.lan', 'postgres://db.lan/']) {
      const refused = /^HEARTH_STORAGE_URL: must be an address such as (?!.*canary)/;
      expect(() => load({}, { HEARTH_STORAGE_URL: wrong }), wrong).toThrow(refused);
    }
    expect(() => load({}, { HEARTH_SEAL_KEY: 'short' })).toThrow(/HEARTH_SEAL_KEY: must be 32 to 512 characters/);
    expect(() => load({}, { HEARTH_STORAGE_URL_FILE: yaml('canary') })).toThrow(/^HEARTH_STORAGE_URL_FILE: must be an/);
  });

  test('may hold the keys that a server for others needs, which is seen when it is open', () => {
    expect(load({}, { HEARTH_STORAGE_URL: url, HEARTH_HOST: '0.0.0.0' }).server.host).toBe('0.0.0.0');
  });
});

describe('refusals', () => {
  test.each([
    ['an unknown setting', 'server:\n  port: 1\n  prot: 2\n', /:3:3: server\.prot: there is no such setting/],
    ['an unknown section', 'servers: {}\n', /:1:1: servers: there is no such setting/],
    ['a wrong type', 'server:\n  port: [1]\n', /:2:9: server\.port: must be a whole number from 0 to 65535/],
    ['a number out of range', 'models:\n  parallel: 33\n', /:2:13: models\.parallel: .*1 to 32/],
    ['a negative limit', 'models: {max_queue: -1}', /models\.max_queue: .*0 to 10000/],
    ['hours without an end', 'models: {pull_window: "01:00"}', /models\.pull_window: must be hours of the day/],
    ['a UPS without a name', 'jobs: {ups: "nas.lan:3493"}', /jobs\.ups: must be a host and the name of a UPS there/],
    ['a port of a UPS that is none', 'jobs: {ups: "nas.lan:70000/ups"}', /jobs\.ups: must be a host/],
    ['hours that are none', 'models: {pull_window: "01:00-01:00"}', /models\.pull_window: must be hours of the day/],
    [
      'an address of the server with a password',
      'server: {url: "https://a:b@nas.local"}',
      /server\.url: must be an address/,
    ],
    ['a hub with a password', 'models: {hub: "https://a:b@hub.example"}', /models\.hub: must be an address/],
    ['a hub that is no web address', 'models: {hub: "file:///etc"}', /models\.hub: must be an address/],
    ['a fraction', 'server: {port: 80.5}', /server\.port: must be a whole number/],
    ['a section that is a text', 'server: yes please', /:1:9: server: /],
    ['a list instead of settings', '- server\n- models\n', /must hold settings/],
    ['a duplicate key', 'server: {}\nserver: {}\n', /:2:1: .*unique/],
    ['two documents', 'server: {}\n---\nmodels: {}\n', /:3:1|:2:1.*second document/],
    ['a tag', 'server: !!js/function "x"\n', /:1:9: .*tag/i],
    ['broken YAML', 'server: {port: 1\n', /config-\d+\.yaml:\d+:\d+: /],
    ['a __proto__ key', 'server: {"__proto__": {host: x}}', /this key is not allowed/],
    ['a __proto__ alias', 'models: {aliases: {__proto__: x}}', /this key is not allowed/],
    ['a key that is a list', '? [a, b]\n: c\n', /this key is not allowed/],
    ['deep nesting', 'a: '.concat('{a: '.repeat(30), '1', '}'.repeat(30)), /nested too deeply/],
    ['20,000 brackets', '['.repeat(20_000), /config-\d+\.yaml:1:\d+: nested too deeply/],
    [
      'an alias bomb',
      `a: &a [x]\n${Array.from({ length: 30 }, (_, i) => `k${i}: [*a, *a]`).join('\n')}`,
      /too many aliases/,
    ],
    ['an origin with a path', 'server: {origins: ["https://nas.local/page"]}', /must be an origin/],
    ['a proxy that is a host name', 'server: {trusted_proxies: [proxy.lan]}', /an IP address or a network/],
    ['a network with too many bits', 'server: {trusted_proxies: [10.0.0.0/33]}', /an IP address or a network/],
    ['everybody as a proxy', 'server: {trusted_proxies: [0.0.0.0/0]}', /must not be everybody/],
    ['a host name with a port', 'server: {allowed_hosts: ["nas.local:80"]}', /without scheme and port/],
    ['a key with blanks', 'server: {api_key: "a b"}', /without blanks/],
    ['drafts that are neither auto nor off', 'engine: {drafts: on}', /engine\.drafts: /],
    ['an unknown GPU', 'engine: {gpu: gtx}', /engine\.gpu: /],
    ['a size that is none', 'engine: {memory_limit: much}', /must be a number of bytes or a size/],
    [
      'a limit within the reserve',
      'engine: {memory_limit: 128MiB, memory_reserve: 256MiB}',
      /larger than engine\.memory_reserve/,
    ],
    ['an alias called default', 'models: {aliases: {default: x}}', /use models\.default/],
    ['an alias that names itself', 'models: {aliases: {a: A}}', /leads back to itself/],
    ['a ring of aliases', 'models: {aliases: {a: b, b: c, c: a}}', /leads back to itself/],
    ['a ring through the default', 'models: {default: a, aliases: {a: default}}', /leads back to itself/],
  ])('%s is refused with its place', (_title, text, message) => {
    expect(() => loadText(text)).toThrow(message);
    expect(() => loadText(text)).toThrow(ConfigError);
  });

  test('every problem of a file is named at once', () => {
    expect(() => loadText('server: {port: x, hots: y}\nmodels: {parallel: 0}\n')).toThrow(
      /server\.port[\s\S]*models\.parallel|models\.parallel[\s\S]*server\.port/,
    );
  });

  test.each([
    ['UTF-16', Buffer.from('\ufeffserver: { api_key: café }', 'utf16le')],
    ['Latin-1', Buffer.from('server: { api_key: café }', 'latin1')],
  ])('a file in %s is refused, and not read as another one', (_encoding, text) => {
    expect(() => loadText(text)).toThrow(/is not UTF-8/);
  });

  test('a file that is too large, missing or a folder is refused', () => {
    expect(() => loadText(Buffer.alloc(2 ** 20 + 1, '#'))).toThrow(/larger than 1 MiB/);
    expect(() => load({ config: 'missing.yaml' })).toThrow(/missing\.yaml: cannot be read \(ENOENT\)/);
    expect(() => load({ config: '.' })).toThrow(/not a regular file/);
  });

  test('a bad variable and a bad flag are named', () => {
    expect(() => load({}, { HEARTH_PORT: 'eighty' })).toThrow(/^HEARTH_PORT: must be a whole number/);
    expect(() => load({}, { HEARTH_KEEP_ALIVE: 'a while' })).toThrow(
      /^HEARTH_KEEP_ALIVE: must be seconds or a duration/,
    );
    expect(() => load({}, { HEARTH_ALLOW_ANONYMOUS: 'perhaps' })).toThrow(
      /^HEARTH_ALLOW_ANONYMOUS: must be true or false/,
    );
    expect(() => load({ port: '70000' })).toThrow(/^--port: /);
    expect(() => load({ models: '' })).toThrow(/^--models: must not be empty/);
  });

  test('no message shows the key', () => {
    expect(() => load({}, { HEARTH_API_KEY: 'hunter two' })).toThrow(/^(?!.*hunter).*$/s);
  });
});

describe('open binds', () => {
  test.each(['0.0.0.0', '::', '192.168.1.5', 'nas.local', '127.evil.example'])(
    '%s needs a key or the word that none is wanted',
    (host) => {
      expect(() => load({ host })).toThrow(/HEARTH_API_KEY.*HEARTH_ALLOW_ANONYMOUS=1/);
      expect(load({ host }, { HEARTH_API_KEY: 'k' }).server.host).toBe(host);
      expect(load({ host }, { HEARTH_ALLOW_ANONYMOUS: '1' }).server.host).toBe(host);
    },
  );

  test('are safe with keys of the file, with tokens, and with keys that were made', () => {
    expect(loadText('server: {host: 0.0.0.0}\nkeys: [{name: a, key: b}]').server.host).toBe('0.0.0.0');
    const jwt = 'jwt: {issuer: a, audience: b, jwks_url: "https://login.example.com/jwks"}';
    expect(loadText(`server: {host: 0.0.0.0}\n${jwt}`).server.host).toBe('0.0.0.0');
    const data = mkdtempSync(join(tmpdir(), 'hearth-data-'));
    try {
      expect(() => load({ host: '0.0.0.0', data })).toThrow(/no API key is set/);
      writeFileSync(join(data, 'keys.json'), '{"version":1,"keys":[]}');
      expect(load({ host: '0.0.0.0', data }).server.host).toBe('0.0.0.0');
    } finally {
      rmSync(data, { recursive: true });
    }
  });

  test.each(['127.0.0.1', '127.8.8.8', 'localhost', '::1', '[::1]', '::ffff:127.0.0.1'])('%s does not', (host) => {
    expect(load({ host }).server.apiKeys).toEqual([]);
  });
});
