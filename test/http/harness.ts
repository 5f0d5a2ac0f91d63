import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createParser } from 'eventsource-parser';
import type { LightMyRequestResponse } from 'fastify';
import { createReports } from '../../src/accounting/reports.ts';
import { createKeyring, type Keyring } from '../../src/auth/keyring.ts';
import { createMadeKeys } from '../../src/auth/made-keys.ts';
import { createSeal } from '../../src/auth/seal.ts';
import { createTokens } from '../../src/auth/tokens.ts';
import { toCloudConfig } from '../../src/config/cloud.ts';
import { createProblems } from '../../src/config/problems.ts';
import type { CloudConfig } from '../../src/config/providers.ts';
import type { Config } from '../../src/config/schema.ts';
import { settingsSchema } from '../../src/config/source.ts';
import { type ConfigStore, createConfigStore } from '../../src/config/store.ts';
import type { AttemptGuard } from '../../src/core/attempt.ts';
import type { KeptTexts } from '../../src/core/kept.ts';
import type { MachineInventory } from '../../src/core/machine.ts';
import type { Provider } from '../../src/core/provider.ts';
import type { StoredFiles } from '../../src/core/stored-files.ts';
import { type Breakers, createBreakers } from '../../src/gateway/breaker.ts';
import { createProvidersHealth } from '../../src/gateway/health.ts';
import { createInboundLimits } from '../../src/gateway/inbound-limits.ts';
import { createLimitWatch } from '../../src/gateway/limit-watch.ts';
import { createProviderLimits, type ProviderLimits } from '../../src/gateway/provider-limits.ts';
import type { HttpServer } from '../../src/http/mount/deps.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import type { StrainReason } from '../../src/jobs/strain.ts';
import { createLogLines, type LogLines } from '../../src/observe/log-lines.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { routingOf } from '../../src/providers/registry.ts';
import { createStoredFiles, type Database, inMemory, openStorage } from '../../src/storage/storage.ts';
import { localRouting } from '../support/calls.ts';
import { createFakeEngine, createFakeGateway, type FakeEngine, type FakeGateway } from '../support/fake-engine.ts';
import { createFakeStore, type FakeStore } from '../support/fake-store.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { testBus } from '../support/test-bus.ts';

export interface Harness {
  /** Begins nothing before it is told to: `jobs.start(http.perform)`. */
  jobs: Jobs;
  http: HttpServer;
  gateway: FakeGateway;
  engine: FakeEngine;
  store: FakeStore;
  files: StoredFiles;
  /** Of the configuration, and of a file that is not there before a key is made. */
  keyring: Keyring;
  clock: ManualClock;
  configuration: ConfigStore;
  /** What is found where the configuration is read again. */
  next: { load: (filePath?: string) => Config };
  breakers: Breakers;
  providerLimits: ProviderLimits;
  lifecycle: { isDraining: boolean };
  /** What the machine says of itself; nothing, until a test says otherwise. */
  inventory: { current: MachineInventory };
  /** Why the machine has nothing left for batches; nothing, until a test says otherwise. */
  strain: { current: StrainReason | null };
  /** Where the ledger and the budgets are. */
  database: Database;
  /** Responses and conversations that can be asked for again. */
  kept: KeptTexts;
  /** What the file says of providers and budgets; nothing, until a test says otherwise. */
  cloudConfig: { current: CloudConfig };
  /** What is kept of the log; nothing, until a test writes to it. */
  logLines: LogLines;
  /** The metrics page as text. */
  metrics(): Promise<string>;
  /** Where the page would be built; it is not there. */
  pageFolder: string;
  /** A request without a socket; a body that is no string is sent as JSON. */
  send(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  close(): Promise<void>;
}

/** What the sections of the file on other providers, limits and keys make of these, as the file has them. */
export function cloudOf(sections: Record<string, unknown>): CloudConfig {
  const { version, global, providers, failover_chains, rate_limits, budgets, keys, jwt, ledger } =
    settingsSchema.parse(sections);
  const problems = createProblems();
  const config = toCloudConfig(
    {
      version: version ?? null,
      global: global ?? null,
      providers: providers ?? null,
      failover_chains: failover_chains ?? null,
      rate_limits: rate_limits ?? null,
      budgets: budgets ?? null,
      keys: keys ?? null,
      jwt: jwt ?? null,
      ledger: ledger ?? null,
    },
    problems,
  );
  problems.throwIfAny();
  return config;
}

/** Nothing but this machine is configured. */
export const noCloud = cloudOf({});

export function testConfig(server: Partial<Config['server']> = {}, models: Partial<Config['models']> = {}): Config {
  return {
    server: {
      host: '127.0.0.1',
      port: 0,
      url: null,
      allowedHosts: [],
      origins: [],
      apiKeys: [],
      allowAnonymous: false,
      trustedProxies: [],
      dropAttribution: true,
      bodyLimitBytes: 1024 * 1024,
      drainMs: 8_000,
      ...server,
    },
    models: {
      folder: '/models',
      default: null,
      builtin: true,
      followLinks: false,
      aliases: {},
      keepAliveMs: 300_000,
      keepAliveMsOf: {},
      restore: false,
      pinned: [],
      contextTokens: null,
      parallel: null,
      maxQueue: 16,
      prefixVaultBytes: 0,
      prefixVaultMinMs: 0,
      pinnedPrompts: [],
      prefixSharing: 'per_key',
      loadTimeoutMs: 60_000,
      ...models,
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
      reserveBytes: 0,
      resume: true,
      importFolders: [],
    },
    engine: {
      threads: null,
      calibrate: false,
      gpu: 'off',
      drafts: 'auto',
      memoryReserveBytes: 0,
      memoryLimitBytes: null,
    },
    files: { maxSizeBytes: 1024 ** 2, maxTotalBytes: 4 * 1024 ** 2 },
    jobs: {
      maxSlots: 2,
      hours: null,
      modelsPerWindow: null,
      keepMs: 86_400_000,
      bodyLimitBytes: 3 * 1024 * 1024,
      pauseAboveCelsius: null,
      runOnBattery: false,
      ups: null,
      webhookHosts: [],
      webhookSecret: null,
      webhookUrl: null,
      webhookAllowPrivate: false,
    },
    dataFolder: '/data',
    storage: { url: null, sealKey: null },
    log: { level: 'silent', format: 'json' },
    cloud: noCloud,
  };
}

/**
 * The HTTP layer over fakes, on a clock that stands still. `cloud`: providers beside this machine; `configured`: what the
 * configuration says of them.
 */
export async function createHarness(
  server: Partial<Config['server']> = {},
  models: Partial<Config['models']> = {},
  cloud: readonly Provider[] = [],
  configured: CloudConfig = noCloud,
  more: readonly AttemptGuard[] = [],
): Promise<Harness> {
  const clock = manualClock(new Date('2026-03-04T05:06:07.089Z'));
  const { bus } = testBus();
  const off = new Set([...configured.providers.values()].filter(({ enabled }) => !enabled).map(({ id }) => id));
  const isThere = ({ id }: Provider) => configured === noCloud || configuration.current().cloud.providers.has(id);
  const isOn = (provider: Provider) => isThere(provider) && !off.has(provider.id);
  const next: Harness['next'] = { load: () => ({ ...testConfig(server, models), cloud: configured }) };
  const configuration = createConfigStore({
    initial: next.load(),
    load: (path) => next.load(path),
    filePath: '/etc/hearth/app/config/providers.yaml',
    clock,
  });
  const breakers = createBreakers({ clock, bus });
  const providerLimits = createProviderLimits({
    clock,
    limitsOf: (id) => configuration.current().cloud.providers.get(id)?.rateLimits ?? null,
  });
  const health = createProvidersHealth({
    clock,
    bus,
    providers: () => gateway.providers(),
    mayProbe: () => configured.cloudAllowed && configured.healthProbes,
  });
  const config = configuration.current();
  const inbound = createInboundLimits({ clock, limits: () => configuration.current().cloud.rateLimits });
  const limitWatch = createLimitWatch({ limits: providerLimits, bus });
  const guards = [breakers, providerLimits, limitWatch, health, ...more];
  const gateway = createFakeGateway(undefined, () => cloud.filter(isOn), guards, inbound);
  const engine = createFakeEngine();
  gateway.listFrom(engine);
  const store = createFakeStore();
  const lifecycle = { isDraining: false };
  const inventory: Harness['inventory'] = {
    current: { processor: null, board: null, disks: null, temperatures: null },
  };
  const cloudConfig: Harness['cloudConfig'] = { current: noCloud };
  const metrics = createMetrics('1.2.3');
  const log = createLogger('silent');
  const logLines = createLogLines();
  const limits = { maxAgeMs: 24 * 3_600_000, maxTexts: 1_000, maxBytes: 64 * 1024 ** 2 };
  const storage = await openStorage({ path: inMemory, limits, clock, log });
  const filesFolder = join(tmpdir(), `hearth-files-${randomUUID()}`);
  const files = await createStoredFiles({
    database: storage.database,
    folder: filesFolder,
    limits: { maxFileBytes: config.files.maxSizeBytes, maxTotalBytes: config.files.maxTotalBytes },
    clock,
    log,
  });
  const pageFolder = join(tmpdir(), `hearth-page-${randomUUID()}`);
  const keysPath = join(tmpdir(), `hearth-keys-${randomUUID()}.json`);
  const warn = (error: unknown) => {
    throw error;
  };
  const made = createMadeKeys({ path: keysPath, clock, warn });
  const keyring = createKeyring({ config: configuration.current, made, tokens: createTokens(clock), clock });
  const webhooks = {
    settings: () => ({
      hosts: ['hooks.example.com'],
      allowPrivate: false,
      secret: `whsec_${'A'.repeat(32)}`,
      url: null,
    }),
    post: async () => 200,
  };
  const strain: Harness['strain'] = { current: null };
  const jobs = createJobs({
    database: storage.database,
    settings: () => config.jobs,
    clock,
    log,
    bus,
    webhooks,
    strain: () => strain.current,
  });
  const http = await createHttpServer({
    config,
    keyring,
    gateway,
    routing: () => ({
      ...(configured === noCloud ? localRouting : routingOf(configuration.current().cloud)),
      cloudAllowed: cloud.length > 0 && configured.cloudAllowed,
    }),
    configuration,
    providers: {
      current: gateway.providers,
      all: () => new Map([...gateway.providers(), ...cloud.filter(isThere).map((one) => [one.id, one] as const)]),
      enable(id, enabled) {
        if (!cloud.some((one) => one.id === id)) throw new RangeError('unknown');
        if (enabled) off.delete(id);
        else off.add(id);
      },
      isSwitched: (id) => off.has(id),
    },
    breakers,
    limits: providerLimits,
    inbound,
    health,
    bus,
    engine,
    store,
    kept: storage.kept,
    files,
    jobs,
    reports: createReports({
      database: storage.database,
      cloud: () => cloudConfig.current,
      holderOf: keyring.keyOf,
      clock,
    }),
    seal: createSeal(randomBytes(32)),
    metrics,
    log,
    logLines,
    clock,
    inventory: async () => inventory.current,
    memorySpeed: async () => 10e9,
    version: '1.2.3',
    pageFolder,
    instance: 'this-one',
    lifecycle: { draining: () => lifecycle.isDraining },
  });
  return {
    http,
    gateway,
    engine,
    store,
    files,
    keyring,
    clock,
    configuration,
    next,
    breakers,
    providerLimits,
    lifecycle,
    inventory,
    logLines,
    database: storage.database,
    kept: storage.kept,
    jobs,
    strain,
    cloudConfig,
    metrics: () => metrics.render(),
    pageFolder,
    send(method, url, body, headers = {}) {
      const payload =
        body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      return http.app.inject({
        method: method as 'GET',
        url,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(payload !== undefined && { payload }),
      });
    },
    async close() {
      await jobs.stop();
      await http.close();
      rmSync(keysPath, { force: true });
      rmSync(pageFolder, { recursive: true, force: true });
      rmSync(filesFolder, { recursive: true, force: true });
    },
  };
}

/** Every record of an event stream, in order; comments are left out. */
export function sseRecords(text: string): { event: string | undefined; data: string }[] {
  const records: { event: string | undefined; data: string }[] = [];
  createParser({ onEvent: ({ event, data }) => records.push({ event, data }) }).feed(text);
  return records;
}

/** The data of every record of an event stream, in order. */
export const sseData = (text: string): string[] => sseRecords(text).map(({ data }) => data);
