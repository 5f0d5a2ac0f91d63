import { z } from 'zod';
import { count as bytes, count } from '../../fields/answer-values.ts';
import { enabledBy } from '../../fields/enabled-by.ts';
import { nativeModel } from '../models/models.ts';
import { liveRequest } from '../status/status.ts';
import { nativePull } from '../store/store.ts';

const pace = {
  tokens_per_second: z.number().meta({ description: 'Of answers, over the last seconds.' }),
  prompt_tokens_per_second: z.number().meta({ description: 'Of prompts, as they are read.' }),
  first_token_ms: z
    .number()
    .nullable()
    .meta({ description: 'Of the latest request, from its arrival to the first content; null: none came so far.' }),
};

const memory = z
  .object({
    total_bytes: bytes.meta({ description: 'Of the machine, the container or the limit: what is least.' }),
    source: z.string().meta({ examples: ['host', 'cgroup-v2'] }),
    reserve_bytes: bytes.meta({ description: 'Left to others, whatever happens.' }),
    free_bytes: bytes.meta({ description: 'What a load may take at once.' }),
    others_bytes: bytes.meta({ description: 'Other services and the system.' }),
    server_bytes: bytes.meta({ description: 'The server without its models.' }),
    models: z.array(
      z.object({
        model: z.string(),
        total_bytes: bytes,
        weights_bytes: bytes,
        cache_bytes: bytes.meta({ description: 'Keys and values of its slots.' }),
        work_bytes: bytes.meta({ description: 'Everything else of its process.' }),
      }),
    ),
    gpus: z.array(z.object({ name: z.string(), backend: z.string(), total_bytes: bytes, free_bytes: bytes })),
  })
  .meta({ id: 'MemoryParts', description: 'Who has the memory of the machine: the parts add up to the whole.' });

const today = z
  .object({
    date: z.string().meta({ description: 'A day in UTC' }),
    cost_usd: z.number(),
    unknown_cost_count: count.meta({ description: 'Tries whose cost is not known, and is in no sum.' }),
    here: count.meta({ description: 'Requests that this machine answered.' }),
    left: count.meta({ description: 'Requests that were sent elsewhere.' }),
    budgets: z.array(
      z.object({ period: z.enum(['day', 'week', 'month']), limit_usd: z.number(), spent_usd: z.number() }),
    ),
  })
  .meta({ id: 'Today' });

const provider = z
  .object({
    id: z.string(),
    display_name: z.string(),
    type: z.enum(['local', 'anthropic', 'bedrock', 'openai-compatible']),
    enabled: z.boolean(),
    enabled_by: enabledBy,
    status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown', 'disabled']),
    error: z.string().nullable(),
    latency_ms: z.number().nullable(),
    open_circuits: z.array(z.string()).meta({ description: 'Its models that are not asked for the moment.' }),
  })
  .meta({ id: 'ProviderLight' });

/** Everything that the page shows as it changes. */
export const liveState = z
  .object({
    server: z.object({
      version: z.string(),
      state: z.enum(['ready', 'degraded', 'unavailable']),
      reason: z.string().nullable(),
    }),
    memory,
    models: z
      .array(nativeModel.extend(pace).meta({ id: 'LiveModel' }))
      .meta({ description: 'Those that are loaded, being loaded or on their way out.' }),
    pace: z.object({ ...pace, running: count, queued: count }),
    requests: z.array(liveRequest),
    pulls: z.array(nativePull),
    providers: z.array(provider),
    today: today.nullable().meta({ description: 'Null: the database does not answer.' }),
    jobs: z.object({ pending: count, running: count }).nullable(),
  })
  .meta({ id: 'LiveState' });

export type LiveState = z.infer<typeof liveState>;

const end = z.object({ reason: z.enum(['key', 'shutdown']) }).meta({
  id: 'LiveEnd',
  description: 'The last record: the key opens this no more, or the server is shutting down.',
});

/** What a record holds: everything (`snapshot`), what of it has changed (`change`), or why it is the last (`end`). */
export const eventData = z.union([liveState, liveState.partial().meta({ id: 'LiveChange' }), end]);

export const eventName = z.enum(['snapshot', 'change', 'end']).optional();
