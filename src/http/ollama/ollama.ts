import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../mount/deps.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import { addJsonType, addUntypedJson } from '../plugins/json-body.ts';
import { addChatRoute } from './chat/chat.ts';
import { addEmbedRoutes } from './embed/embed.ts';
import { addGenerateRoute } from './generate/generate.ts';
import { addSharedHealthRoute } from './health/health.ts';
import { addModelRoutes } from './models/models.ts';
import { errorBody, statusOf } from './objects/errors.ts';
import type { OllamaMount } from './objects/mounts.ts';
import { addRefusedRoutes } from './refused/refused.ts';
import { addStoreRoutes } from './store/store.ts';

/** Ollama's dialect at one of its mounts. */
export function ollamaRoutes(deps: RouteDeps, mount: OllamaMount) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(errorBody, deps, statusOf));
    // Ollama reads JSON whatever is said of it. So curl sends every sample of its documents, and LiteLLM its chats: through
    // one library with no type, through the other with that of bytes.
    addJsonType(app, 'application/x-www-form-urlencoded');
    addJsonType(app, 'application/octet-stream');
    addUntypedJson(app);
    // The second mount is the first one again; the document says it once.
    if (!mount.isShared) {
      app.addHook('onRoute', (route) => {
        route.schema = { ...route.schema, hide: true };
      });
    }
    addChatRoute(app, deps);
    addGenerateRoute(app, deps, mount);
    addEmbedRoutes(app, deps);
    addModelRoutes(app, deps);
    addStoreRoutes(app, deps);
    addRefusedRoutes(app);
    if (mount.isShared) addSharedHealthRoute(app, deps);
  };
}
