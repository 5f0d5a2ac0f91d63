import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../../mount/deps.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import type { Session } from '../sockets/sockets.ts';
import { addCatalogRoute } from './catalog.ts';
import { addModelFileRoutes } from './files.ts';
import { addPullWatching } from './pull-watch.ts';
import { addPullRoutes } from './pulls.ts';
import { addSearchRoute } from './search.ts';

export { toNativePull } from './from-core.ts';
export { nativePull } from './schema.ts';

/** Models that come and go: what can be pulled, pulls and their progress, imports, removals. */
export function addStoreRoutes(
  app: FastifyInstance,
  deps: RouteDeps,
  mount: NativeMount,
  sessions: Set<Session>,
): void {
  addCatalogRoute(app, deps, mount);
  addSearchRoute(app, deps, mount);
  addPullRoutes(app, deps, mount);
  addPullWatching(app, deps, mount, sessions);
  addModelFileRoutes(app, deps, mount);
}
