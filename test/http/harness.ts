import { randomBytes } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import type { LightMyRequestResponse } from 'fastify';
import { createSeal } from '../../src/auth/seal.ts';
import type { Config } from '../../src/config/schema.ts';
import type { MachineInventory } from '../../src/core/machine.ts';
import type { HttpServer } from '../../src/http/mount/deps.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { inMemory, openStorage } from '../../src/storage/storage.ts';
import { localRouting } from '../support/calls.ts';
import { createFakeEngine, createFakeGateway, type FakeEngine, type FakeGateway } from '../support/fake-engine.ts';
import { createFakeStore, type FakeStore } from '../support/fake-store.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

export interface Harness {
  http: HttpServer;
  gateway: FakeGateway;
  engine: FakeEngine;
  store: FakeStore;
  clock: ManualClock;
  lifecycle: { isDraining: boolean };
  /** What the machine says of itself; nothing, until a test says otherwise. */
  inventory: { current: MachineInventory };
  /** The metrics page as text. */
  metrics(): Promise<string>;
  /** A request without a socket; a body that is no string is sent as JSON. */
  send(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  close(): Promise<void>;
}

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
    dataFolder: '/data',
    log: { level: 'silent' },
  };
}

/** The HTTP layer over fakes, on a clock that stands still. */
export async function createHarness(
  server: Partial<Config['server']> = {},
  models: Partial<Config['models']> = {},
): Promise<Harness> {
  const gateway = createFakeGateway();
  const engine = createFakeEngine();
  gateway.listFrom(engine);
  const store = createFakeStore();
  const clock = manualClock(new Date('2026-03-04T05:06:07.089Z'));
  const lifecycle = { isDraining: false };
  const inventory: Harness['inventory'] = {
    current: { processor: null, board: null, disks: null, temperatures: null },
  };
  const metrics = createMetrics('1.2.3');
  const log = createLogger('silent');
  const limits = { maxAgeMs: 24 * 3_600_000, maxTexts: 1_000, maxBytes: 64 * 1024 ** 2 };
  const storage = openStorage({ path: inMemory, limits, clock, log });
  const http = await createHttpServer({
    config: testConfig(server, models),
    gateway,
    routing: () => localRouting,
    engine,
    store,
    kept: storage.kept,
    seal: createSeal(randomBytes(32)),
    metrics,
    log,
    clock,
    inventory: async () => inventory.current,
    version: '1.2.3',
    lifecycle: { draining: () => lifecycle.isDraining },
  });
  return {
    http,
    gateway,
    engine,
    store,
    clock,
    lifecycle,
    inventory,
    metrics: () => metrics.render(),
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
    close: () => http.close(),
  };
}

/** The data of every record of an event stream, in order; comments are left out. */
export function sseData(text: string): string[] {
  const records: string[] = [];
  createParser({ onEvent: ({ data }) => records.push(data) }).feed(text);
  return records;
}
