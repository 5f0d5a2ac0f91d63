import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../mount/deps.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import { addRerankRoute } from '../rerank/routes.ts';
import { addEmbeddingRoute } from './embedding-routes.ts';
import { addGenerateRoutes } from './generate-routes.ts';
import { addHealthRoute } from './health-routes.ts';
import { addModelRoutes } from './model-routes.ts';
import type { NativeMount } from './mount.ts';
import { addProbeRoutes } from './probe-routes.ts';
import { addStoreRoutes } from './store-routes.ts';

/** The native dialect at one of its mounts. Only routes: metrics and hooks belong to the server, once. */
export function nativeRoutes(deps: RouteDeps, mount: NativeMount) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(mount.errorBody, deps));
    addGenerateRoutes(app, deps, mount);
    addModelRoutes(app, deps, mount);
    addStoreRoutes(app, deps, mount);
    addHealthRoute(app, deps, mount);
    if (mount.prefix === '/api/v1') addEmbeddingRoute(app, deps, mount);
    if (mount.prefix === '') {
      addRerankRoute(app, deps, mount);
      addProbeRoutes(app, deps);
    }
  };
}
