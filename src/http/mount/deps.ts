import type { FastifyInstance } from 'fastify';
import type { Reports } from '../../accounting/reports.ts';
import type { Keyring } from '../../auth/keyring.ts';
import type { Seal } from '../../auth/seal.ts';
import type { Tickets } from '../../auth/tickets.ts';
import type { Config } from '../../config/schema.ts';
import type { ConfigStore } from '../../config/store.ts';
import type { RoutingConfig, RoutingWish, Scope } from '../../core/call.ts';
import type { OriginalRequest } from '../../core/chat.ts';
import type { Clock } from '../../core/clock.ts';
import type { Dialect } from '../../core/content.ts';
import type { KeptTexts } from '../../core/kept.ts';
import type { MachineInventory } from '../../core/machine.ts';
import type { Provider } from '../../core/provider.ts';
import type { ModelStore } from '../../core/pull.ts';
import type { StoredFiles } from '../../core/stored-files.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Breakers, Gateway, InboundLimits, ProviderLimits, ProvidersHealth } from '../../gateway/gateway.ts';
import type { Jobs, Perform } from '../../jobs/jobs.ts';
import type { Bus } from '../../observe/bus.ts';
import type { LogLines } from '../../observe/log-lines.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { RecentRequests } from '../requests/requests.ts';

/** Whether the server still takes new work. */
interface Lifecycle {
  draining(): boolean;
}

/** Every provider, as it is configured. */
interface ProviderDirectory {
  /** Those that may be asked now, by id; this machine first. */
  current(): ReadonlyMap<string, Provider>;
  /** The same with those that are off. */
  all(): ReadonlyMap<string, Provider>;
  /**
   * Switches one on or off by hand, until it is switched back or the configuration says another thing of it. Throws a `RangeError` for
   * one that is not configured.
   */
  enable(id: string, enabled: boolean): void;
  /** Whether it is on or off by hand, against the configuration. */
  isSwitched(id: string): boolean;
}

/** What the HTTP layer is given by the composition root. */
export interface HttpDeps {
  config: Config;
  keyring: Keyring;
  gateway: Gateway;
  /** What decides where requests go, as it is now. */
  routing(): RoutingConfig;
  /** Of the file and all other sources, as it is in force and could be. */
  configuration: ConfigStore;
  providers: ProviderDirectory;
  breakers: Breakers;
  /** What is left of what providers allow. */
  limits: ProviderLimits;
  /** What is left of what clients may ask. */
  inbound: Pick<InboundLimits, 'status'>;
  health: ProvidersHealth;
  bus: Pick<Bus, 'subscribe'>;
  engine: Engine;
  store: ModelStore;
  /** Texts that clients may ask for again. */
  kept: KeptTexts;
  /** Files that clients sent, or that were made for them. */
  files: StoredFiles;
  /** Batches of requests. */
  jobs: Jobs;
  /** What the ledger and the budgets tell. */
  reports: Reports;
  /** Seals what clients hold for us. */
  seal: Seal;
  metrics: Metrics;
  log: Logger;
  /** The last lines of `log`, as they may be shown. */
  logLines: LogLines;
  clock: Clock;
  /** What the machine is made of; takes a moment. */
  inventory: () => Promise<MachineInventory>;
  /** Bytes of a model's weights that this machine reads in a second, about. */
  memorySpeed: () => Promise<number>;
  version: string;
  /** Where the page for people is built; it may not be there. */
  pageFolder: string;
  /** Id of this process, by which a request is known that comes back to it through other servers. */
  instance: string;
  lifecycle: Lifecycle;
}

/** What routes see: the same, and what the server itself counts. */
export interface RouteDeps extends HttpDeps {
  tickets: Tickets;
  /** Those that asked for an answer, and how far each is. */
  requests: RecentRequests;
  /** Open sockets of the server, WebSockets included. */
  activeConnections(): number;
}

/** The HTTP server, ready to listen. */
export interface HttpServer {
  app: FastifyInstance;
  /** Binds the configured address; resolves with the base URL, for example `http://127.0.0.1:8000`. */
  listen(): Promise<string>;
  activeConnections(): number;
  /** Answers an item of a batch through its route. */
  perform: Perform;
  /**
   * Stops listening, ends idle connections, lets running answers end and closes WebSockets with 1001. Answers end when
   * their providers end them: drain the engine first. Sockets still open after 5 s are destroyed.
   */
  close(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Where it may go, and how long it may take, as it says itself. */
    wish: { routing: RoutingWish; deadlineInMs: number | null; hops: readonly string[] };
    /** As it came; only of routes that relay. */
    original?: OriginalRequest;
    /** Whether somebody may be asked who takes `original` as it is; then `body` may be against its schema. */
    mayRelay?: boolean;
  }
  interface FastifyContextConfig {
    /** What its key must be for; `public`: it answers without one. A route that does not say is for administrators. */
    scope?: Scope | 'public';
    /** Starts work, so it is refused while the server drains. */
    startsWork?: boolean;
    /** A missing or empty body counts as no body instead of broken JSON. */
    allowsEmptyBody?: boolean;
    /** Its body is a list of requests, each of which is looked at by itself: it may hold more than one. */
    holdsRequests?: boolean;
    /** Its body may take as long as bytes come. */
    receivesSlowly?: boolean;
    /** Speaks WebSocket: an upgrade from a foreign origin is refused, and a ticket or a subprotocol may stand for a key. */
    isWebSocket?: boolean;
    /** Its requests may pass as they came to a provider that speaks this dialect; their path there. */
    relays?: { dialect: Dialect; path: string };
    /** A ticket in the address may stand for a key: a page opens it without headers of its own. */
    takesTicket?: boolean;
  }
}
