import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import websocket from '@fastify/websocket';
import fastify from 'fastify';
import { createSharedTickets } from '../auth/shared-tickets.ts';
import { chooseSubprotocol } from '../auth/subprotocol.ts';
import { createTickets } from '../auth/tickets.ts';
import { errorBody as anthropicErrorBody, anthropicRoutes, errorBodyByVersion } from './anthropic/anthropic.ts';
import { addDocs, addDocument } from './docs/docs.ts';
import { envelopeErrorBody, envelopeRoutes } from './envelope/envelope.ts';
import { requestValidator } from './fields/validation.ts';
import { createPerform } from './inner/inner.ts';
import { clientErrorHandler } from './mount/client-errors.ts';
import type { HttpDeps, HttpServer, RouteDeps } from './mount/deps.ts';
import { createErrorHandler, type ErrorBody } from './mount/error-handler.ts';
import { requestIdOf } from './mount/request-id.ts';
import { addUnknownUrls, answerFrameworkError, type ByPrefix, pathOf } from './mount/unknown-url.ts';
import { apiMount, rootMount } from './native/mounts/mounts.ts';
import { nativeRoutes, webSocketPaths } from './native/native.ts';
import type { Session } from './native/sockets/sockets.ts';
import { errorBody as ollamaErrorBody } from './ollama/objects/errors.ts';
import { apiRoot, ollamaRoot } from './ollama/objects/mounts.ts';
import { ollamaRoutes } from './ollama/ollama.ts';
import { errorBody as openaiErrorBody } from './openai/objects/errors.ts';
import { openaiRootRoutes, openaiRoutes } from './openai/openai.ts';
import { addPage } from './page/page.ts';
import { addAuth } from './plugins/auth.ts';
import { addClientAddress } from './plugins/client-address.ts';
import { addCors } from './plugins/cors.ts';
import { addDrain } from './plugins/drain.ts';
import { addDroppedFields } from './plugins/dropped-fields.ts';
import { addEncodedBody } from './plugins/encoded-body.ts';
import { addHostCheck } from './plugins/host-check.ts';
import { addIdempotency } from './plugins/idempotency.ts';
import { addJsonBody } from './plugins/json-body.ts';
import { addMetrics } from './plugins/metrics.ts';
import { addRateLimitHeaders } from './plugins/rate-limit-headers.ts';
import { addRequestId } from './plugins/request-id.ts';

import { addRouting } from './plugins/routing.ts';
import { addSlowBody, type SlowBodies } from './plugins/slow-body.ts';

import { createRecentRequests } from './requests/requests.ts';

export type { HttpServer } from './mount/deps.ts';

/** How long `close` waits for sockets that neither end nor are ended. */
const closeMs = 5_000;
const webSocketMessageBytes = 1024 * 1024;

/** Builds the HTTP server: every plugin and mount, in the order in which they see a request. */
export async function createHttpServer(deps: HttpDeps): Promise<HttpServer> {
  const { config, clock } = deps;
  const sockets = new Set<Socket>();
  const openResponses = new WeakMap<Socket, Set<ServerResponse>>();
  const sessions = new Set<Session>();
  const tickets = deps.kept.isShared ? createSharedTickets(deps.kept, clock) : createTickets(clock);
  const requests = createRecentRequests(clock);
  const gateway = requests.follow(deps.gateway);
  const routeDeps: RouteDeps = { ...deps, gateway, tickets, requests, activeConnections: () => sockets.size };
  const errorBodies: ByPrefix<ErrorBody> = [
    [rootMount.prefix, rootMount.errorBody],
    [apiMount.prefix, apiMount.errorBody],
    [`${apiMount.prefix}/messages`, envelopeErrorBody],
    [`${apiMount.prefix}/batches`, envelopeErrorBody],
    ['/v1', errorBodyByVersion(openaiErrorBody)],
    ['/v1/messages', anthropicErrorBody],
    [apiRoot.prefix, ollamaErrorBody],
    [ollamaRoot.prefix, ollamaErrorBody],
  ];
  const handlers = errorBodies.map(([prefix, errorBody]) => [prefix, createErrorHandler(errorBody, deps)] as const);

  const slow: SlowBodies = new WeakSet();
  const app = fastify({
    serverFactory: (handler) => trackSockets(createNodeServer(handler), sockets, openResponses),
    clientErrorHandler: clientErrorHandler(deps, errorBodies, (socket) => openResponses.get(socket) ?? new Set(), slow),
    frameworkErrors: answerFrameworkError(handlers),
    genReqId: requestIdOf,
    bodyLimit: config.server.bodyLimitBytes,
    // Base addresses are configured with a slash at their end more often than not.
    routerOptions: { maxParamLength: 4_096, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    trustProxy: false,
    forceCloseConnections: 'idle',
    // Fastify's own 503 has no dialect; the drain hook has said it before, in all of them.
    return503OnClosing: false,
    // Our own hooks log, and never a header or a body.
    logger: false,
  });
  app.setValidatorCompiler(requestValidator);
  // Schemas describe answers, they do not shape them: what a dialect builds goes out as it is, and tests compare both.
  app.setSerializerCompiler(() => JSON.stringify);

  // 1. What every request passes, in this order. The WebSocket plugin marks upgrades, and ends the sockets only of the
  // marked ones: it comes before whatever may refuse one.
  await app.register(websocket, {
    options: {
      maxPayload: webSocketMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => chooseSubprotocol([...offered]) ?? false,
    },
    preClose: async () => {
      await Promise.all([...sessions].map((session) => session.shutdown()));
      app.websocketServer.close();
    },
  });
  addRequestId(app);
  addClientAddress(app, deps);
  addMetrics(app, deps);
  addHostCheck(app, config);
  addCors(app, config);
  addAuth(app, deps.keyring, tickets);
  addRateLimitHeaders(app, deps);
  addDrain(app, deps);
  addSlowBody(app, deps, slow);
  addEncodedBody(app);
  addJsonBody(app);
  addRouting(app, deps);
  addIdempotency(app, clock);
  addDroppedFields(app);
  addUnknownUrls(app, handlers);

  // 2. What must see the routes as they are registered.
  await addDocs(app, deps.version);

  // 3. The mounts: one speaks one shape.
  await app.register(openaiRoutes(routeDeps), { prefix: '/v1' });
  await app.register(anthropicRoutes(routeDeps), { prefix: '/v1' });
  await app.register(openaiRootRoutes(routeDeps));
  await app.register(nativeRoutes(routeDeps, rootMount, sessions));
  await app.register(nativeRoutes(routeDeps, apiMount, sessions), { prefix: apiMount.prefix });
  await app.register(ollamaRoutes(routeDeps, apiRoot), { prefix: apiRoot.prefix });
  await app.register(ollamaRoutes(routeDeps, ollamaRoot), { prefix: ollamaRoot.prefix });
  await app.register(envelopeRoutes(routeDeps), { prefix: apiMount.prefix });
  addPage(app, deps.pageFolder);
  addDocument(app);
  await app.ready();

  return {
    app,
    perform: createPerform(app),
    listen: () => app.listen({ host: config.server.host, port: config.server.port }),
    activeConnections: () => sockets.size,
    async close() {
      // Node waits for a connection that a client opened ahead and never used.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      const timer = clock.after(closeMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await app.close();
      timer.cancel();
    },
  };
}

/**
 * Node's server with limits on how slowly and how much a client may send. A client that closes its side counts as gone,
 * also when it would still read: whether it closed one direction or both looks the same from here, and work for nobody
 * must not hold a slot.
 */
function createNodeServer(handler: (request: IncomingMessage, response: never) => void): Server {
  const options = {
    headersTimeout: 10_000,
    // Of receiving: answers may take as long as they take.
    requestTimeout: 30_000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 72_000,
    // The Host check refuses a missing one in words; Node would answer without a body.
    requireHostHeader: false,
    // Without it Node hands every Upgrade to the WebSocket plugin, and clients that offer h2c with each request
    // (Java's) would be refused instead of being answered in HTTP/1.1.
    shouldUpgradeCallback: isWebSocketUpgrade,
  };
  const server = createServer(options, handler as never);
  server.maxConnections = 1024;
  return server;
}

function isWebSocketUpgrade(request: IncomingMessage): boolean {
  const path = pathOf(request.url);
  const isKnownPath = [rootMount, apiMount].some(
    ({ prefix }) => path.startsWith(prefix) && webSocketPaths.test(path.slice(prefix.length)),
  );
  return isKnownPath && request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

/** Keeps `sockets` the set of open sockets, and `openResponses` those of their responses that have not ended. */
function trackSockets(
  server: Server,
  sockets: Set<Socket>,
  openResponses: WeakMap<Socket, Set<ServerResponse>>,
): Server {
  server.on('connection', (socket) => {
    sockets.add(socket);
    openResponses.set(socket, new Set());
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (request, response) => {
    const responses = openResponses.get(request.socket);
    responses?.add(response);
    response.once('close', () => {
      responses?.delete(response);
      // Whose answer ended after `close` had begun is idle only now, and would be waited for.
      if (!server.listening) server.closeIdleConnections();
    });
  });
  return server;
}
