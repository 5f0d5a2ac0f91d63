import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { type AwayShare, type Batch, leftMs, pauseReasons } from '../../../jobs/jobs.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import { cloudShare, toCloudShare } from '../../fields/cloud-share.ts';
import { wholeNumber } from '../../fields/query-values.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';

const mostBatches = 1_000;
const usualBatches = 100;
/** Whoever looks after the server sees the batches of every key. */
const everybody = { owner: null };

const job = z
  .object({
    id: z.string(),
    api: z.string().meta({ description: 'Through which API it was made.' }),
    state: z.enum(['in_progress', 'canceling', 'ended']),
    models: z.array(z.string()),
    counts: z.object({
      total: count,
      processing: count.meta({ description: 'Pending or running.' }),
      succeeded: count,
      errored: count,
      canceled: count,
      expired: count,
    }),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    ended_at: timestamp.nullable(),
    expires_at: timestamp,
    left_seconds: count
      .nullable()
      .meta({ description: 'If it goes on as so far; null: nobody knows, or it has ended.' }),
    cloud: cloudShare.optional(),
  })
  .meta({ id: 'Job' });

export const jobList = z
  .object({
    jobs: z.array(job),
    has_more: z.boolean(),
    paused: z.enum(pauseReasons).nullable().meta({ description: 'Why nothing is begun now; null: it may be.' }),
  })
  .meta({ id: 'Jobs' });

const listQuery = z.object({
  limit: wholeNumber(1, mostBatches)
    .optional()
    .meta({ description: `At most so many; ${usualBatches} where left out.` }),
});
const jobPath = z.object({ batch_id: z.string() });

/** `/jobs`: the batches of all keys, however they were made, for whoever looks after the server. */
export function addJobRoutes(
  instance: FastifyInstance,
  { jobs, clock }: Pick<RouteDeps, 'jobs' | 'clock'>,
  mount: NativeMount,
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  // Of one that has ended nothing is elsewhere any more.
  const shareOf = async (batch: Batch) => (batch.state === 'ended' ? null : jobs.shareOf(batch.id));

  app.get('/jobs', {
    config: { scope: 'admin' },
    schema: {
      summary: 'The batches of all keys, the newest first',
      description: 'However they were made. What is asked and answered in them is not told.',
      tags,
      querystring: listQuery,
      response: { 200: jsonAnswer(jobList, 'The batches'), ...errors },
    },
    handler: async ({ query: { limit = usualBatches } }) => {
      const page = await jobs.list(everybody, { limit });
      const batches = page?.batches ?? [];
      const now = clock.now();
      return {
        jobs: await Promise.all(batches.map(async (batch) => toJob(batch, now, await shareOf(batch)))),
        has_more: page?.hasMore ?? false,
        paused: jobs.pause(),
      };
    },
  });

  app.post('/jobs/:batch_id/cancel', {
    config: { scope: 'admin', allowsEmptyBody: true },
    schema: {
      summary: 'Cancel a batch, whoever made it',
      description: 'What runs is finished; what has not begun is not asked for. One that has ended stays as it is.',
      tags,
      params: jobPath,
      response: {
        200: jsonAnswer(job, 'The batch'),
        404: jsonAnswer(mount.errorSchema, 'There is no such batch'),
        ...errors,
      },
    },
    handler: async ({ params: { batch_id: id } }) => {
      const batch = await jobs.cancel(id, everybody);
      if (batch === null) throw new AppError('not_found', 'There is no batch of this id.', { field: 'batch_id' });
      return toJob(batch, clock.now(), await shareOf(batch));
    },
  });
}

function toJob(batch: Batch, now: Date, away: AwayShare | null): z.input<typeof job> {
  const left = leftMs(batch, now);
  return {
    id: batch.id,
    api: batch.api,
    state: batch.state,
    models: [...batch.models],
    counts: batch.counts,
    created_at: batch.createdAt.toISOString(),
    started_at: batch.startedAt?.toISOString() ?? null,
    ended_at: batch.endedAt?.toISOString() ?? null,
    expires_at: batch.expiresAt.toISOString(),
    left_seconds: left === null ? null : Math.round(left / 1_000),
    ...(away && { cloud: toCloudShare(away) }),
  };
}
