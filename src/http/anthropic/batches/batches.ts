import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import type { Batch, BatchScope, BatchWish, ItemResult } from '../../../jobs/jobs.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { anthropicError, workErrorAnswers } from '../objects/answer-schema.ts';
import { versionOf } from '../objects/version.ts';
import { toMessageBatch, toResultLine } from './from-core.ts';
import {
  type BatchBody,
  batchAnswer,
  batchBody,
  batchListAnswer,
  batchPath,
  batchQuery,
  deletedAnswer,
  resultLine,
} from './schema.ts';
import { api, toWish } from './to-core.ts';

export { toResultLine } from './from-core.ts';
export { batchAnswer, batchBody, batchListAnswer, batchPath, batchQuery, resultLine } from './schema.ts';

/** As many as Anthropic sends when not told otherwise. */
const defaultLimit = 20;

/** `/messages/batches` and what lies under it. */
export function addBatchRoutes(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const errors = errorAnswers(anthropicError);
  const notFound = { 404: jsonAnswer(anthropicError, 'There is no such batch') };
  const one = { 200: jsonAnswer(batchAnswer, 'The batch'), ...notFound, ...errors };

  app.post('/messages/batches', {
    config: { scope: 'inference', startsWork: true, holdsRequests: true },
    bodyLimit: deps.config.jobs.bodyLimitBytes,
    schema: {
      summary: 'Have many conversations answered when nobody else needs the machine',
      description:
        'As Anthropic has it. All requests are looked at before one is stored; once this is answered none is lost. With an Idempotency-Key a repetition gives the same batch, over restarts too.',
      tags,
      body: batchBody,
      response: { 200: jsonAnswer(batchAnswer, 'The batch'), ...workErrorAnswers(anthropicError) },
    },
    handler: async (request) => createBatch(request.body, request, deps),
  });

  app.get('/messages/batches', {
    config: { scope: 'inference' },
    schema: {
      summary: 'The batches of a key, the newest first',
      tags,
      querystring: batchQuery,
      response: { 200: jsonAnswer(batchListAnswer, 'A page of batches'), ...errors },
    },
    handler: async (request) => listBatches(request.query, request, deps),
  });

  app.get('/messages/batches/:batch_id', {
    config: { scope: 'inference' },
    schema: { summary: 'How far a batch is', tags, params: batchPath, response: one },
    handler: async (request) => showBatch(request.params.batch_id, request, deps),
  });

  app.post('/messages/batches/:batch_id/cancel', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'End a batch early',
      description: 'What runs is finished and what there is of results stays; nothing more is begun.',
      tags,
      params: batchPath,
      response: { ...one, ...bodyErrorAnswers(anthropicError) },
    },
    handler: async (request) => cancelBatch(request.params.batch_id, request, deps),
  });

  app.delete('/messages/batches/:batch_id', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'Forget a batch that has ended',
      tags,
      params: batchPath,
      response: { 200: jsonAnswer(deletedAnswer, 'It is gone'), ...notFound, ...bodyErrorAnswers(anthropicError) },
    },
    handler: async (request) => removeBatch(request.params.batch_id, request, deps),
  });

  app.get('/messages/batches/:batch_id/results', {
    config: { scope: 'inference' },
    schema: {
      summary: 'The results of a batch that has ended',
      description: 'One line of JSON for each request, in any order.',
      tags,
      params: batchPath,
      response: {
        200: { description: 'The lines', content: { 'application/x-jsonl': { schema: resultLine } } },
        ...notFound,
        ...errors,
      },
    },
    handler: async (request, reply) => sendResults(request.params.batch_id, request, reply, deps),
  });
}

type Answered = z.infer<typeof batchAnswer>;

/** `told`: who is told of its end; left out: whom the headers name. */
export async function createBatch(
  body: BatchBody,
  request: FastifyRequest,
  deps: RouteDeps,
  told?: Pick<BatchWish, 'webhook'>,
): Promise<Answered> {
  const { batch } = await deps.jobs.create(await toWish(body, request, deps, told));
  return shown(batch, request, deps);
}

export async function listBatches(
  query: z.infer<typeof batchQuery>,
  request: FastifyRequest,
  deps: RouteDeps,
): Promise<z.infer<typeof batchListAnswer>> {
  versionOf(request);
  const { limit, after_id: after, before_id: before } = query;
  if (after !== undefined && before !== undefined) {
    throw new AppError('invalid_request', '"after_id" and "before_id" exclude each other.', {
      field: 'before_id',
      fix: 'Send one.',
    });
  }
  const page = await deps.jobs.list(scopeOf(request), {
    limit: limit === undefined ? defaultLimit : Number(limit),
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
  });
  if (page === null) {
    const field = after === undefined ? 'before_id' : 'after_id';
    throw new AppError('invalid_request', `"${field}" is no batch of the list.`, { field });
  }
  const data = page.batches.map((batch) => shown(batch, request, deps));
  return { data, has_more: page.hasMore, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

export async function showBatch(id: string, request: FastifyRequest, deps: RouteDeps): Promise<Answered> {
  versionOf(request);
  return shown(await found(id, request, deps), request, deps);
}

export async function cancelBatch(id: string, request: FastifyRequest, deps: RouteDeps): Promise<Answered> {
  versionOf(request);
  const batch = await deps.jobs.cancel(id, scopeOf(request));
  if (batch === null) throw unknown();
  return shown(batch, request, deps);
}

async function removeBatch(id: string, request: FastifyRequest, deps: RouteDeps) {
  versionOf(request);
  const isGone = await deps.jobs.remove(id, scopeOf(request));
  if (isGone === null) throw unknown();
  if (!isGone) {
    throw new AppError('invalid_request', 'A batch can only be deleted once it has ended.', {
      field: 'batch_id',
      fix: 'Cancel it first.',
    });
  }
  return { id, type: 'message_batch_deleted' as const };
}

async function sendResults(id: string, request: FastifyRequest, reply: FastifyReply, deps: RouteDeps) {
  const portions = await resultsOf(id, request, deps);
  async function* lines() {
    for await (const results of portions) yield results.map((result) => `${toResultLine(result)}\n`).join('');
  }
  return reply.type('application/x-jsonl').send(Readable.from(lines()));
}

/** Results of a batch that has ended. Rejects where there are none to be had. */
export async function resultsOf(
  id: string,
  request: FastifyRequest,
  deps: RouteDeps,
): Promise<AsyncIterable<ItemResult[]>> {
  versionOf(request);
  const batch = await found(id, request, deps);
  if (batch.state !== 'ended') {
    throw new AppError('invalid_request', 'The results of a batch are there once it has ended.', {
      field: 'batch_id',
      fix: 'Ask for the batch until its "processing_status" is "ended".',
    });
  }
  if (batch.archivedAt !== null) {
    throw new AppError('not_found', 'The results of this batch were removed for their age.', { field: 'batch_id' });
  }
  return deps.jobs.results(id);
}

async function found(id: string, request: FastifyRequest, { jobs }: RouteDeps): Promise<Batch> {
  const batch = await jobs.find(id, scopeOf(request));
  if (batch === null) throw unknown();
  return batch;
}

function unknown(): AppError {
  return new AppError('not_found', 'There is no batch of this id.', { field: 'batch_id' });
}

function scopeOf({ principal }: FastifyRequest): BatchScope {
  return { owner: principal.id, api };
}

function shown(batch: Batch, request: FastifyRequest, { config }: RouteDeps): Answered {
  // A proxy in front tells how it is reached; whoever says something else is led astray alone.
  const isSecure = request.headers['x-forwarded-proto'] === 'https';
  const base = config.server.url ?? `${isSecure ? 'https' : 'http'}://${request.host}`;
  return toMessageBatch(batch, base.replace(/\/+$/, ''));
}
