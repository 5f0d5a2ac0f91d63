import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { AppError } from '../../../core/errors.ts';
import type { Batch, BatchWish } from '../../../jobs/jobs.ts';
import { itemHeaders, webhookOf } from '../../inner/inner.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { idempotencyKeyOf } from '../../plugins/idempotency.ts';
import { findFile } from '../files/files.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { writeResults } from './finish.ts';
import { type BatchNotes, toBatchAnswer } from './from-core.ts';
import { assertForBatch, readInput } from './input.ts';
import {
  batchAnswer,
  batchListAnswer,
  batchListQuery,
  batchPath,
  type CreateBatchBody,
  createBody,
  windowMs,
} from './schema.ts';

const api = 'openai';
const defaultLimit = 20;
/** As the file of requests. */
const resultsMs = 30 * 24 * 3_600_000;

/** `/batches`: many requests of a file, answered when nobody else needs the machine. */
export function addBatchRoutes(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const notFound = { 404: jsonAnswer(openaiError, 'There is no such batch of this key') };
  const one = { 200: jsonAnswer(batchAnswer, 'The batch'), ...notFound };
  deps.jobs.onEnded(api, (batch, owner) => writeResults(deps, batch, owner));

  app.post('/batches', {
    config: { scope: 'inference', startsWork: true, holdsRequests: true },
    schema: {
      summary: 'Have the requests of a file answered when nobody else needs the machine',
      description:
        'As OpenAI has it; the file was sent to /v1/files. All of its lines are looked at before one is taken: where something is wrong with any, the batch has failed and its errors say so. With an Idempotency-Key a repetition gives the same batch.',
      tags,
      body: createBody,
      response: { 200: jsonAnswer(batchAnswer, 'The batch'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request) => toBatchAnswer(await createBatch(deps, request, request.body)),
  });

  app.get('/batches', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List batches, the newest first',
      tags,
      querystring: batchListQuery,
      response: { 200: jsonAnswer(batchListAnswer, 'A page of batches'), ...errorAnswers(openaiError) },
    },
    handler: async (request) => {
      const { limit = defaultLimit, after } = request.query;
      const page = await deps.jobs.list(scopeOf(request), { limit, ...(after !== undefined && { after }) });
      if (page === null) throw new AppError('invalid_request', '"after" is no batch of the list.', { field: 'after' });
      const data = page.batches.map(toBatchAnswer);
      const [first_id, last_id] = [data[0]?.id ?? null, data.at(-1)?.id ?? null];
      return { object: 'list' as const, data, first_id, last_id, has_more: page.hasMore };
    },
  });

  app.get('/batches/:batch', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show how far a batch is',
      tags,
      params: batchPath,
      response: { ...one, ...errorAnswers(openaiError) },
    },
    handler: async (request) => toBatchAnswer(found(await deps.jobs.find(request.params.batch, scopeOf(request)))),
  });

  app.post('/batches/:batch/cancel', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'End a batch early',
      description: 'What runs is finished, and what there is of results comes in its files; nothing more is begun.',
      tags,
      params: batchPath,
      response: { ...one, ...bodyErrorAnswers(openaiError) },
    },
    handler: async (request) => toBatchAnswer(found(await deps.jobs.cancel(request.params.batch, scopeOf(request)))),
  });
}

function scopeOf({ principal }: FastifyRequest) {
  return { owner: principal.id, api };
}

function found(batch: Batch | null): Batch {
  if (batch === null) throw new AppError('not_found', 'There is no such batch.');
  return batch;
}

async function createBatch(deps: RouteDeps, request: FastifyRequest, body: CreateBatchBody): Promise<Batch> {
  const { endpoint, completion_window, output_expires_after: expiry } = body;
  const owner = request.principal;
  const file = await findFile(deps, owner.id, body.input_file_id, 'input_file_id');
  assertForBatch(file);
  const { errors, items } = await readInput(deps, request, { file, endpoint });
  const notes: BatchNotes = {
    input_file_id: file.id,
    completion_window,
    metadata: body.metadata ?? null,
    output_expires_after_ms: expiry ? expiry.seconds * 1_000 : resultsMs,
    output_file_id: deps.files.newFileId(),
    error_file_id: deps.files.newFileId(),
    errors: errors.length > 0 ? errors : null,
  };
  const headers = itemHeaders(request);
  const key = idempotencyKeyOf(request);
  const told = webhookOf(request);
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([body, headers, told]))
    .digest('hex');
  const wish: BatchWish = {
    idPrefix: 'batch_',
    owner,
    api,
    path: endpoint,
    headers,
    items: errors.length > 0 ? [] : items(),
    expiresInMs: windowMs(completion_window)!,
    notes: { ...notes },
    idempotency: key === null ? null : { key, fingerprint },
    ...told,
  };
  return (await deps.jobs.create(wish)).batch;
}
