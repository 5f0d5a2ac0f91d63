import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { type AwayShare, type Batch, leftMs, type PauseReason, pauseReasons } from '../../../jobs/jobs.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import { cloudShare, toCloudShare } from '../../fields/cloud-share.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { LiveRequest, RequestStatus } from '../../requests/requests.ts';
import type { NativeMount } from '../mounts/mounts.ts';

const statusAnswer = z
  .object({
    request_id: z.string(),
    status: z.enum(['queued', 'running', 'done', 'failed']),
    created_at: timestamp,
    completed_at: timestamp.optional(),
    partial_output: z.string().optional().meta({ description: 'The text so far, while it runs.' }),
    progress: z
      .object({
        total: count,
        done: count.meta({ description: 'Those that failed or were given up too.' }),
        failed: count,
        left_seconds: count
          .nullable()
          .meta({ description: 'Until the end, if it goes on as so far; null: nobody knows, or it has ended.' }),
        paused: z.enum(pauseReasons).nullable().meta({
          description: 'Why none of its requests is begun now; null: nothing is in the way, or it has ended.',
        }),
        cloud: cloudShare.optional(),
      })
      .optional()
      .meta({ description: 'Of a batch.' }),
  })
  .meta({ id: 'RequestStatus' });

/** A request that has not ended. */
export const liveRequest = z
  .object({
    request_id: z.string(),
    key: z.string().meta({ description: 'Name of the key that made it.' }),
    operation: z.enum(['generate', 'embed', 'rank', 'decide']),
    model: z.string(),
    provider: z.string().nullable().meta({ description: 'Null: it is not decided yet.' }),
    status: z.enum(['queued', 'running']),
    created_at: timestamp,
    elapsed_ms: count,
    stage: z
      .enum(['queued', 'loading', 'prompt', 'retrying'])
      .nullable()
      .meta({ description: 'What it waits for; retrying: to ask providers again that failed. Null: it runs.' }),
    place: count.nullable().meta({ description: 'In the queue for its model, 1 being the next.' }),
    estimate_ms: count
      .nullable()
      .meta({ description: 'Until its turn, or until it is tried again, as far as it can be known.' }),
    prompt_progress: z.number().min(0).max(1).nullable().meta({ description: 'Part of its prompt that was read.' }),
    prompt_tokens: count.nullable(),
    output_tokens: count.nullable().meta({ description: 'So far, about.' }),
  })
  .meta({ id: 'LiveRequest' });

const liveAnswer = z.object({ requests: z.array(liveRequest) }).meta({ id: 'LiveRequests' });

const statusPath = z.object({ request_id: z.string() });

/** `/status/{request_id}` and `/requests`: how far requests for an answer are, whichever dialect asked for them. */
export function addStatusRoutes(
  instance: FastifyInstance,
  { requests, jobs, clock }: Pick<RouteDeps, 'requests' | 'jobs' | 'clock'>,
  mount: NativeMount,
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const answers = {
    200: jsonAnswer(statusAnswer, 'The request'),
    404: jsonAnswer(mount.errorSchema, 'There is no such request'),
    ...errors,
  };

  const statusOf = async (batch: Batch) =>
    toBatchStatus(batch, clock.now(), { away: await jobs.shareOf(batch.id), pause: jobs.pause() });

  app.get('/status/:request_id', {
    config: { scope: 'inference' },
    schema: {
      summary: 'How far a request is',
      description:
        'Of a request for an answer in any API, by its X-Request-ID, with the key that made it. They are remembered for an hour, the last thousand, and not over a restart. Of a batch by its id, as long as it is there.',
      tags,
      params: statusPath,
      response: answers,
    },
    handler: async ({ params: { request_id }, principal }) => {
      const request = requests.find(request_id, principal.id);
      const batch = request === null ? await jobs.find(request_id, { owner: principal.id }) : null;
      return batch === null ? toStatus(request_id, request) : statusOf(batch);
    },
  });

  app.post('/status/:request_id/cancel', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'End a request',
      description:
        'With the key that made it, or one for administration. Whoever waits for its answer is told; one that has ended stays as it is.',
      tags,
      params: statusPath,
      response: answers,
    },
    handler: async ({ params: { request_id }, principal }) => {
      const request = requests.cancel(request_id, principal);
      const batch = request === null ? await jobs.cancel(request_id, { owner: principal.id }) : null;
      return batch === null ? toStatus(request_id, request) : statusOf(batch);
    },
  });

  app.get('/requests', {
    config: { scope: 'inference' },
    schema: {
      summary: 'The requests that run or wait',
      description: 'Those of the key that asks; with one for administration all of them. Never their texts.',
      tags,
      response: { 200: jsonAnswer(liveAnswer, 'The requests, oldest first'), ...errors },
    },
    handler: async ({ principal }) => ({ requests: requests.live(principal).map(toLive) }),
  });
}

/** Those of others are as unknown as those that never were. */
function toStatus(requestId: string, found: RequestStatus | null): z.infer<typeof statusAnswer> {
  if (found === null) throw new AppError('not_found', 'There is no request of this id.', { field: 'request_id' });
  const { status, createdAt, completedAt, partialOutput } = found;
  return {
    request_id: requestId,
    status,
    created_at: createdAt.toISOString(),
    ...(completedAt !== null && { completed_at: completedAt.toISOString() }),
    ...(partialOutput !== null && { partial_output: partialOutput }),
  };
}

function toBatchStatus(
  batch: Batch,
  now: Date,
  { away, pause }: { away: AwayShare | null; pause: PauseReason | null },
): z.infer<typeof statusAnswer> {
  const { id, state, closing, counts, createdAt, startedAt, endedAt } = batch;
  const waits = startedAt === null ? 'queued' : 'running';
  const left = leftMs(batch, now);
  return {
    request_id: id,
    status: state !== 'ended' ? waits : closing === null ? 'done' : 'failed',
    created_at: createdAt.toISOString(),
    ...(endedAt !== null && { completed_at: endedAt.toISOString() }),
    progress: {
      total: counts.total,
      done: counts.total - counts.processing,
      failed: counts.errored,
      left_seconds: left === null ? null : Math.round(left / 1_000),
      paused: state === 'in_progress' ? pause : null,
      ...(away && { cloud: toCloudShare(away) }),
    },
  };
}

/** Such a request, as it is now. */
export function toLive(request: LiveRequest): z.infer<typeof liveRequest> {
  const { progress } = request;
  const queued = progress?.stage === 'queued' ? progress : null;
  const waitMs = progress?.stage === 'retrying' ? progress.waitMs : (queued?.estimateMs ?? null);
  const prompt = progress?.stage === 'prompt' ? progress : null;
  return {
    request_id: request.requestId,
    key: request.keyName,
    operation: request.operation,
    model: request.model,
    provider: request.provider,
    status: request.status,
    created_at: request.createdAt.toISOString(),
    elapsed_ms: Math.round(request.elapsedMs),
    stage: progress?.stage ?? null,
    place: queued?.place ?? null,
    estimate_ms: waitMs === null ? null : Math.round(waitMs),
    prompt_progress: prompt && (prompt.totalTokens === 0 ? 1 : prompt.readTokens / prompt.totalTokens),
    prompt_tokens: request.promptTokens ?? prompt?.totalTokens ?? null,
    output_tokens: request.outputTokens,
  };
}
