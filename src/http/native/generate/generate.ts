import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { toAppError } from '../../../core/errors.ts';
import { foldEvents } from '../../../core/events.ts';
import { beginAnswers } from '../../answer/begin.ts';
import { sendSse } from '../../answer/reply.ts';
import { nativeNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { workErrorAnswers } from '../../mount/describe.ts';
import { logError } from '../../mount/error-handler.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { type AnswerFacts, toGenerateAnswer, toGenerateRecords } from './from-core.ts';
import { type GenerateBody, generateAnswer, generateBody, generateItem } from './schema.ts';
import { generateToCore } from './to-core.ts';

/** `POST /generate` and `POST /generate/stream`. */
export function addGenerateRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = workErrorAnswers(mount.errorSchema);

  app.post('/generate', {
    config: { startsWork: true },
    schema: {
      summary: 'Answer a prompt',
      description: 'With "stream": true it answers as /generate/stream does.',
      tags,
      body: generateBody,
      response: {
        200: {
          description: 'The answer, or its stream',
          content: { 'application/json': { schema: generateAnswer }, 'text/event-stream': { schema: generateItem } },
        },
        ...errors,
      },
    },
    handler: async (request, reply) => {
      if (request.body.stream) return stream(request, reply, request.body);
      const { events, facts } = await begin(request, reply, request.body);
      return toGenerateAnswer(await foldEvents(events), facts);
    },
  });

  app.post('/generate/stream', {
    config: { startsWork: true },
    schema: {
      summary: 'Answer a prompt as an event stream',
      description: 'Each item carries a piece of text; the last one has "finished": true and the usage.',
      tags,
      body: generateBody,
      response: {
        200: { description: 'The stream', content: { 'text/event-stream': { schema: generateItem } } },
        ...errors,
      },
    },
    handler: async (request, reply) => stream(request, reply, request.body),
  });

  async function begin(request: FastifyRequest, reply: FastifyReply, body: GenerateBody) {
    const startMs = deps.clock.monotonicMs();
    const { gone, ...answer } = await beginAnswers(deps, request, reply, [generateToCore(body)], nativeNames);
    const facts: AnswerFacts = {
      model: answer.model,
      provider: answer.providerId,
      requestId: request.id,
      latencyMs: () => deps.clock.monotonicMs() - startMs,
    };
    return { gone, events: answer.events[0]!, facts };
  }

  async function stream(request: FastifyRequest, reply: FastifyReply, body: GenerateBody): Promise<FastifyReply> {
    const { gone, events, facts } = await begin(request, reply, body);
    const records = toGenerateRecords(events, facts, {
      endsWithDone: mount.endsWithDone,
      errorBody: (error) => mount.errorBody(error, { requestId: request.id, now: deps.clock.now() }),
      onFailure: (error) => logError(deps.log, toAppError(error), request.id),
    });
    return sendSse(reply, records, { gone, clock: deps.clock, log: deps.log });
  }
}
