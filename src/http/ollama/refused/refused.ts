import type { FastifyInstance } from 'fastify';
import { AppError } from '../../../core/errors.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { ollamaError } from '../objects/errors.ts';
import { tags } from '../objects/names.ts';

/** What belongs to an account at Ollama's own service, with why it is refused. */
const refused = [
  ['/push', 'Models are not sent anywhere from here.'],
  ['/signout', 'There is no account here.'],
  ['/me', 'There is no account here.'],
] as const;

/** Routes that clients know and that this server does not have, each with a reason. */
export function addRefusedRoutes(app: FastifyInstance): void {
  for (const [url, reason] of refused) {
    app.post(url, {
      config: { scope: 'inference', allowsEmptyBody: true },
      schema: {
        summary: `Refused: ${reason.charAt(0).toLowerCase()}${reason.slice(1, -1)}`,
        tags,
        response: { ...errorAnswers(ollamaError), 403: jsonAnswer(ollamaError, 'Always') },
      },
      handler: async () => {
        throw new AppError('forbidden', reason);
      },
    });
  }
}
