import type { FastifyInstance } from 'fastify';
import { AppError } from '../../core/errors.ts';
import { errorBodyByVersion } from '../anthropic/anthropic.ts';
import { addSystemOneRoute } from '../decisions/decisions.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import { pathOf } from '../mount/unknown-url.ts';
import { addRerankRoute } from '../rerank/rerank.ts';
import { addBatchRoutes } from './batches/batches.ts';
import { addChatRoute } from './chat/chat.ts';
import { addCompletionRoute } from './completions/completions.ts';
import { addDecisionRoute } from './decisions/decisions.ts';
import { addEmbeddingRoute } from './embeddings/embeddings.ts';
import { addFileRoutes } from './files/files.ts';
import { addModelRoutes } from './models/models.ts';
import { openaiError } from './objects/answer-schema.ts';
import { errorBody } from './objects/errors.ts';
import { addResponseRoutes } from './responses/responses.ts';
import { addInputTokensRoute, addTokenRoutes } from './tokens/tokens.ts';

const tag = 'OpenAI';

/** The OpenAI dialect; mount it under `/v1`. */
export function openaiRoutes(deps: RouteDeps) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(errorBody, deps));
    addChatRoute(app, deps, [tag]);
    addInputTokensRoute(app, deps, [tag]);
    addCompletionRoute(app, deps, [tag]);
    addResponseRoutes(app, deps, [tag]);
    addEmbeddingRoute(app, deps, [tag]);
    addRerankRoute(app, deps, { tag, errorSchema: openaiError });
    await app.register(async (models) => {
      models.setErrorHandler(createErrorHandler(errorBodyByVersion(errorBody), deps));
      addModelRoutes(models, deps, [tag]);
    });
    addBatchRoutes(app, deps, [tag]);
    await app.register(async (files) => {
      files.setErrorHandler(createErrorHandler(errorBodyByVersion(errorBody), deps));
      files.addHook('onRequest', async ({ headers, method, url }) => {
        // Anthropic has other files at the same place, which are not here.
        if (headers['anthropic-version'] === undefined) return;
        throw new AppError('not_found', `There is nothing at ${method} ${pathOf(url)}.`);
      });
      await addFileRoutes(files, deps, [tag]);
    });
    addDecisionRoute(app, deps, [tag]);
    addSystemOneRoute(app, deps, { tag, errorSchema: openaiError });
  };
}

/** What servers of this dialect have at the root, beside `/v1`. */
export function openaiRootRoutes(deps: RouteDeps) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(errorBody, deps));
    addTokenRoutes(app, deps, [tag]);
  };
}
