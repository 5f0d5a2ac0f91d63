import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { toAppError } from '../../../core/errors.ts';
import { foldEvents } from '../../../core/events.ts';
import { type Asker, askerOf, beginAnswer, clientGone } from '../../answer/answer.ts';
import { modelOf } from '../../fields/model-header.ts';
import { validationError } from '../../fields/validation.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { logError } from '../../mount/error-handler.ts';
import { factsOf, generateNames, generateToCore, toGenerateAnswer } from '../generate/generate.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { batchAnswer, batchBody, batchItem } from './schema.ts';

type ItemResult = ReturnType<typeof toGenerateAnswer> | ReturnType<NativeMount['errorBody']>;

/** So many of a batch are asked for at a time: it must not fill the queue of everyone. */
const atATime = 4;

/** `POST /batch/generate`: several prompts, and for each its answer or its error. */
export function addBatchRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/batch/generate', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Answer several prompts',
      description: `The results are in the order of the requests. One that cannot be answered has its error as its
result, and the others go on. ${atATime} are worked on at a time.`,
      tags: [mount.tag],
      body: batchBody,
      response: {
        200: jsonAnswer(batchAnswer(mount), 'Answers and errors'),
        ...workErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => {
      const { signal } = clientGone(reply);
      const asker = { ...askerOf(request, signal), names: generateNames };
      const { requests } = request.body;
      const results: ItemResult[] = [];
      let next = 0;
      const lane = async () => {
        for (let index = next++; index < requests.length && !signal.aborted; index = next++) {
          results[index] = await answerItem(deps, mount, asker, () => {
            const item = batchItem.safeParse(requests[index]);
            if (!item.success) throw validationError(item.error.issues);
            return generateToCore({ ...item.data, model: modelOf(item.data, request.headers) });
          });
        }
      };
      await Promise.all(Array.from({ length: Math.min(atATime, requests.length) }, lane));
      return { results };
    },
  });
}

/** The answer to one request of a batch, or the error that it alone would have had. */
async function answerItem(
  deps: RouteDeps,
  mount: NativeMount,
  asker: Asker,
  toChat: () => ReturnType<typeof generateToCore>,
): Promise<ItemResult> {
  try {
    const begun = await beginAnswer(deps, asker, toChat());
    const answer = await foldEvents(begun.events, begun.providerId).catch((error: unknown) => {
      throw begun.fail(error);
    });
    return toGenerateAnswer(answer, factsOf(begun));
  } catch (thrown) {
    const error = toAppError(thrown);
    deps.metrics.rejected.inc({ reason: error.code });
    logError(deps.log, error, asker.requestId);
    return mount.errorBody(error, { requestId: asker.requestId, now: deps.clock.now() });
  }
}
