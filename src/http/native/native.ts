import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../mount/deps.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import { addRerankRoute } from '../rerank/rerank.ts';
import { addBatchRoute } from './batch/batch.ts';
import { addNativeChatRoute } from './chat/chat.ts';
import { addConfigRoutes } from './config/config.ts';
import { addCostRoutes } from './costs/costs.ts';
import { addDecideRoute } from './decide/decide.ts';
import { addEmbeddingRoute } from './embeddings/embeddings.ts';
import { addEventRoute } from './events/events.ts';
import { addGenerateRoutes } from './generate/generate.ts';
import { addHealthRoute, addProviderHealthRoutes } from './health/health.ts';
import { addJobRoutes } from './jobs/jobs.ts';
import { addKeyRoutes } from './keys/keys.ts';
import { addLogRoutes } from './logs/logs.ts';
import { addMachineRoute } from './machine/machine.ts';
import { addModelRoutes } from './models/models.ts';
import type { NativeMount } from './mounts/mounts.ts';
import { addProbeRoutes } from './probes/probes.ts';
import { addProviderRoutes, addProviderSocket } from './providers/providers.ts';
import { addRateLimitRoutes } from './rate-limits/rate-limits.ts';
import type { Session } from './sockets/sockets.ts';
import { addStatusRoutes } from './status/status.ts';
import { addStoreRoutes } from './store/store.ts';
import { addTicketRoute } from './tickets/tickets.ts';

/** Paths that may be upgraded to a WebSocket, under any mount. */
export const webSocketPaths = /^\/ws\/(?:generate|providers|pull\/[^/]+)$/;

/**
 * The native dialect at one of its mounts. Only routes: metrics and hooks belong to the server, once. `sessions`: its open
 * WebSockets, for whoever closes the server.
 */
export function nativeRoutes(deps: RouteDeps, mount: NativeMount, sessions: Set<Session>) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(mount.errorBody, deps));
    addGenerateRoutes(app, deps, mount, sessions);
    addBatchRoute(app, deps, mount);
    addDecideRoute(app, deps, mount);
    addModelRoutes(app, deps, mount);
    addStoreRoutes(app, deps, mount, sessions);
    addHealthRoute(app, deps, mount);
    addMachineRoute(app, deps, mount);
    addStatusRoutes(app, deps, mount);
    addTicketRoute(app, deps, mount);
    addProviderSocket(app, deps, mount, sessions);
    if (mount.prefix === '/api/v1') {
      addNativeChatRoute(app, deps, mount);
      addEmbeddingRoute(app, deps, mount);
      addConfigRoutes(app, deps, mount);
      addProviderRoutes(app, deps, mount);
      addProviderHealthRoutes(app, deps, mount);
      addKeyRoutes(app, deps, mount);
      addRateLimitRoutes(app, deps, mount);
      addCostRoutes(app, deps, mount);
      addLogRoutes(app, deps, mount);
      addJobRoutes(app, deps, mount);
      addEventRoute(app, deps, mount);
    }
    if (mount.prefix === '') {
      addRerankRoute(app, deps, mount);
      addProbeRoutes(app, deps);
    }
  };
}
