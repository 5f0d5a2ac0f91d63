import type { FastifyInstance } from 'fastify';
import type { Seal } from '../../auth/seal.ts';
import type { Tickets } from '../../auth/tickets.ts';
import type { Config } from '../../config/schema.ts';
import type { RoutingConfig } from '../../core/call.ts';
import type { Clock } from '../../core/clock.ts';
import type { KeptTexts } from '../../core/kept.ts';
import type { MachineInventory } from '../../core/machine.ts';
import type { ModelStore } from '../../core/pull.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Metrics } from '../../observe/metrics.ts';

/** Whether the server still takes new work. */
interface Lifecycle {
  draining(): boolean;
}

/** What the HTTP layer is given by the composition root. */
export interface HttpDeps {
  config: Config;
  gateway: Gateway;
  /** What decides where requests go, as it is now. */
  routing(): RoutingConfig;
  engine: Engine;
  store: ModelStore;
  /** Texts that clients may ask for again. */
  kept: KeptTexts;
  /** Seals what clients hold for us. */
  seal: Seal;
  metrics: Metrics;
  log: Logger;
  clock: Clock;
  /** What the machine is made of; takes a moment. */
  inventory: () => Promise<MachineInventory>;
  version: string;
  lifecycle: Lifecycle;
}

/** What routes see: the same, and what the server itself counts. */
export interface RouteDeps extends HttpDeps {
  tickets: Tickets;
  /** Open sockets of the server, WebSockets included. */
  activeConnections(): number;
}

/** The HTTP server, ready to listen. */
export interface HttpServer {
  app: FastifyInstance;
  /** Binds the configured address; resolves with the base URL, for example `http://127.0.0.1:8000`. */
  listen(): Promise<string>;
  activeConnections(): number;
  /**
   * Stops listening, ends idle connections, lets running answers end and closes WebSockets with 1001. Answers end when
   * their providers end them: drain the engine first. Sockets still open after 5 s are destroyed.
   */
  close(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers without a key, when one is configured. */
    isPublic?: boolean;
    /** Starts work, so it is refused while the server drains. */
    startsWork?: boolean;
    /** A missing or empty body counts as no body instead of broken JSON. */
    allowsEmptyBody?: boolean;
    /** Speaks WebSocket: an upgrade from a foreign origin is refused, and a ticket or a subprotocol may stand for a key. */
    isWebSocket?: boolean;
    /** A ticket in the address may stand for a key: a page opens it without headers of its own. */
    takesTicket?: boolean;
  }
}
