import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../mount/deps.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import { addBatchRoutes } from './batches/batches.ts';
import { addCountTokensRoute } from './count-tokens/count-tokens.ts';
import { addMessagesRoute } from './messages/messages.ts';
import { errorBody, statusOf } from './objects/errors.ts';

export {
  batchAnswer,
  batchBody,
  batchListAnswer,
  batchPath,
  batchQuery,
  cancelBatch,
  createBatch,
  listBatches,
  resultLine,
  resultsOf,
  showBatch,
  toResultLine,
} from './batches/batches.ts';
export { countAnswer, countBody, countTokens } from './count-tokens/count-tokens.ts';
export {
  ignoredFields,
  type MessagesBody,
  messageAnswer,
  messageEvent,
  messagesBody,
  toAsked,
} from './messages/messages.ts';
export { errorBody, errorBodyByVersion } from './objects/errors.ts';

const tag = 'Anthropic';

/** The Anthropic dialect; mount it under `/v1`, beside OpenAI's. Its list of models stands there, as both ask at one place. */
export function anthropicRoutes(deps: RouteDeps) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(errorBody, deps, statusOf));
    addMessagesRoute(app, deps, [tag]);
    addCountTokensRoute(app, deps, [tag]);
    addBatchRoutes(app, deps, [tag]);
  };
}
