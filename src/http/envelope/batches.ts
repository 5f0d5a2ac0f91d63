import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import {
  batchPath,
  batchQuery,
  cancelBatch,
  createBatch,
  listBatches,
  resultsOf,
  showBatch,
  toResultLine,
} from '../anthropic/anthropic.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer, workErrorAnswers } from '../mount/describe.ts';
import { envelopeOf } from './envelope-of.ts';
import { envelopeError } from './errors.ts';
import {
  batchEnvelope,
  batchEnvelopeBody,
  batchListEnvelope,
  batchResultsEnvelope,
  toMessagesParams,
} from './schema.ts';

const tag = 'Batches in an envelope';

/** Anthropic's batches, which are the same here and there, in the envelope. */
export function addBatchRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [tag];
  const errors = errorAnswers(envelopeError);
  const notFound = { 404: jsonAnswer(envelopeError, 'There is no such batch') };
  const one = { 200: jsonAnswer(batchEnvelope, 'The batch'), ...notFound, ...errors };
  /** Data in its envelope, with the time that it took. */
  const timed = async <Data>(requestId: string, ask: () => Promise<Data>) => {
    const startMs = deps.clock.monotonicMs();
    const data = await ask();
    return envelopeOf(data, requestId, deps.clock.monotonicMs() - startMs);
  };

  app.post('/batches/create', {
    config: { scope: 'inference', startsWork: true, holdsRequests: true },
    bodyLimit: deps.config.jobs.bodyLimitBytes,
    schema: {
      summary: 'Have many conversations answered when nobody else needs the machine, in an envelope',
      description:
        'The body and the data are those of /v1/messages/batches; "webhook_url" says who is told of the end.',
      tags,
      body: batchEnvelopeBody,
      response: { 200: jsonAnswer(batchEnvelope, 'The batch'), ...workErrorAnswers(envelopeError) },
    },
    handler: async (request) => {
      const requests = request.body.requests.map((one) => ({ ...one, params: toMessagesParams(one.params) }));
      const { webhook_url: url } = request.body;
      const told = url === undefined ? undefined : { webhook: { url, field: 'webhook_url' } };
      return timed(request.id, () => createBatch({ requests }, request, deps, told));
    },
  });

  app.get('/batches', {
    config: { scope: 'inference' },
    schema: {
      summary: 'The batches of a key, the newest first, in an envelope',
      tags,
      querystring: batchQuery,
      response: { 200: jsonAnswer(batchListEnvelope, 'A page of batches'), ...errors },
    },
    handler: async (request) => timed(request.id, () => listBatches(request.query, request, deps)),
  });

  app.get('/batches/:batch_id', {
    config: { scope: 'inference' },
    schema: { summary: 'How far a batch is, in an envelope', tags, params: batchPath, response: one },
    handler: async (request) => timed(request.id, () => showBatch(request.params.batch_id, request, deps)),
  });

  app.post('/batches/:batch_id/cancel', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'End a batch early, in an envelope',
      tags,
      params: batchPath,
      response: { ...one, ...bodyErrorAnswers(envelopeError) },
    },
    handler: async (request) => timed(request.id, () => cancelBatch(request.params.batch_id, request, deps)),
  });

  app.get('/batches/:batch_id/results', {
    config: { scope: 'inference' },
    schema: {
      summary: 'The results of a batch that has ended, in an envelope',
      tags,
      params: batchPath,
      response: { 200: jsonAnswer(batchResultsEnvelope, 'The results'), ...notFound, ...errors },
    },
    handler: async (request, reply) => sendResults(request.params.batch_id, request, reply, deps),
  });
}

/** Written as they are read: the results of a large batch never stand in memory together. */
async function sendResults(id: string, request: FastifyRequest, reply: FastifyReply, deps: RouteDeps) {
  const startMs = deps.clock.monotonicMs();
  const portions = await resultsOf(id, request, deps);
  async function* pieces() {
    yield `{"success":true,"data":{"batch_id":${JSON.stringify(id)},"results":[`;
    let separator = '';
    for await (const results of portions) {
      yield separator + results.map(toResultLine).join(',');
      separator = ',';
    }
    const { metadata } = envelopeOf(null, request.id, deps.clock.monotonicMs() - startMs);
    yield `]},"metadata":${JSON.stringify(metadata)}}`;
  }
  return reply.type('application/json; charset=utf-8').send(Readable.from(pieces()));
}
