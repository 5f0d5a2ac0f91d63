import { z } from 'zod';

/** What `hearth status` reads of `GET /api/v1/events`. Unknown fields are kept: the server may be a newer one. */

const bytes = z.number();

const live = {
  server: z.looseObject({ version: z.string(), state: z.string(), reason: z.string().nullable() }),
  memory: z.looseObject({
    total_bytes: bytes,
    source: z.string(),
    reserve_bytes: bytes,
    free_bytes: bytes,
    others_bytes: bytes,
    server_bytes: bytes,
    models: z.array(
      z.looseObject({
        model: z.string(),
        total_bytes: bytes,
        weights_bytes: bytes,
        cache_bytes: bytes,
        work_bytes: bytes,
      }),
    ),
  }),
  models: z.array(
    z.looseObject({
      name: z.string(),
      quantization: z.string(),
      state: z.string(),
      active_requests: z.number().nullable(),
      slots: z.number().nullable(),
      queued_requests: z.number().nullable(),
      tokens_per_second: z.number(),
      pinned: z.boolean(),
      expires_at: z.string().nullable(),
    }),
  ),
  pace: z.looseObject({ tokens_per_second: z.number(), first_token_ms: z.number().nullable() }),
  requests: z.array(
    z.looseObject({
      request_id: z.string(),
      key: z.string(),
      model: z.string(),
      provider: z.string().nullable(),
      status: z.string(),
      elapsed_ms: z.number(),
      stage: z.string().nullable(),
      place: z.number().nullable(),
      prompt_progress: z.number().nullable(),
      output_tokens: z.number().nullable(),
    }),
  ),
  providers: z.array(
    z.looseObject({ id: z.string(), enabled: z.boolean(), status: z.string(), error: z.string().nullable() }),
  ),
  today: z
    .looseObject({
      cost_usd: z.number(),
      here: z.number(),
      left: z.number(),
      budgets: z.array(z.object({ period: z.string(), limit_usd: z.number(), spent_usd: z.number() })),
    })
    .nullable(),
  jobs: z.looseObject({ pending: z.number(), running: z.number() }).nullable(),
};

/** How a server is now. */
export const liveState = z.looseObject(live);
export type LiveState = z.output<typeof liveState>;

/** What of it has changed. */
export const liveChange = z.looseObject(live).partial();

export const eventsPath = '/api/v1/events';

/** `GET /status/{id}`: one request, or a batch. */
export const requestStatus = z.looseObject({
  request_id: z.string(),
  status: z.string(),
  created_at: z.string(),
  completed_at: z.string().optional(),
  partial_output: z.string().optional(),
  progress: z
    .looseObject({ total: z.number(), done: z.number(), failed: z.number(), left_seconds: z.number().nullable() })
    .optional(),
});
export type RequestStatus = z.output<typeof requestStatus>;

export const requestStatusPath = (id: string) => `/status/${encodeURIComponent(id)}`;
