import type { IncomingHttpHeaders } from 'node:http';
import { type Json, refusal } from './rules.ts';

/** What becomes of one request of a batch, by its place; left out: it is answered. */
export type Outcome = 'canceled' | 'expired' | { error: Json };

interface FakeBatch {
  id: string;
  requests: { custom_id: string; params: Json }[];
  state: 'in_progress' | 'canceling' | 'ended';
  createdAt: Date;
  results: string[];
  counts: Record<string, number>;
}

/** Message Batches of the fake API: they end when a test says so, or at once. */
export interface FakeBatches {
  /** The oldest first, those too that were deleted since. */
  all: FakeBatch[];
  deleted: Set<string>;
  /** They end before anybody asks for them. */
  endsAtOnce: boolean;
  /** The next one is taken, and whoever has sent it never hears of it. */
  swallows: boolean;
  /** Ends those that run; what was to be cancelled is. */
  end(outcomes?: Record<number, Outcome>): void;
  /** An answer of `/v1/messages/batches…`; null: there is no such path. `answer`: what a request would be answered by itself. */
  handle(request: { method: string; url: URL; headers: IncomingHttpHeaders; body: Json }): Reply | null;
}

interface Reply {
  status: number;
  body: Json | string;
}

const base = '/v1/messages/batches';
const names = ['processing', 'succeeded', 'errored', 'canceled', 'expired'];

export function createFakeBatches(deps: {
  /** What `/v1/messages` answers. */
  answer: (params: Json, headers: IncomingHttpHeaders) => { status: number; body: Json };
  now: () => Date;
}): FakeBatches {
  const headersOf = new Map<string, IncomingHttpHeaders>();
  const fake: FakeBatches = {
    all: [],
    deleted: new Set(),
    endsAtOnce: false,
    swallows: false,
    end(outcomes = {}) {
      for (const batch of fake.all) if (batch.state !== 'ended') endOne(batch, outcomes);
    },
    handle({ method, url, headers, body }) {
      if (!url.pathname.startsWith(base)) return null;
      const [, id, act] = url.pathname.slice(base.length).split('/');
      if (id === undefined) return method === 'POST' ? create(body, headers) : list(url.searchParams);
      const batch = fake.all.find((one) => one.id === id && !fake.deleted.has(id));
      if (batch === undefined) return refusal('not_found_error', `no batch ${id}`);
      if (fake.endsAtOnce && batch.state !== 'ended') endOne(batch, {});
      if (act === 'results') {
        if (batch.state !== 'ended') return refusal('invalid_request_error', 'The batch has not ended.');
        return { status: 200, body: batch.results.map((line) => `${line}\n`).join('') };
      }
      if (act === 'cancel') {
        if (batch.state === 'in_progress') batch.state = 'canceling';
        return { status: 200, body: shown(batch) };
      }
      if (method === 'DELETE') {
        if (batch.state !== 'ended') return refusal('invalid_request_error', 'The batch has not ended.');
        fake.deleted.add(id);
        return { status: 200, body: { id, type: 'message_batch_deleted' } };
      }
      return { status: 200, body: shown(batch) };
    },
  };

  function create({ requests, ...extra }: Json, headers: IncomingHttpHeaders): Reply {
    if (Object.keys(extra).length > 0) return refusal('invalid_request_error', 'Extra inputs are not permitted');
    const ids = new Set<string>();
    for (const { custom_id: customId, params } of requests as FakeBatch['requests']) {
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(customId)) return refusal('invalid_request_error', 'custom_id: invalid');
      if (ids.has(customId)) return refusal('invalid_request_error', 'custom_id: not unique');
      if ('stream' in params) return refusal('invalid_request_error', 'stream: not in a batch');
      ids.add(customId);
    }
    const batch: FakeBatch = {
      id: `msgbatch_${String(fake.all.length + 1).padStart(8, '0')}`,
      requests,
      state: 'in_progress',
      createdAt: deps.now(),
      results: [],
      counts: { processing: requests.length },
    };
    fake.all.push(batch);
    headersOf.set(batch.id, headers);
    return { status: 200, body: shown(batch) };
  }

  function list(query: URLSearchParams): Reply {
    const seen = fake.all.filter(({ id }) => !fake.deleted.has(id)).reverse();
    const from = seen.findIndex(({ id }) => id === query.get('after_id')) + 1;
    // Pages of two, so that there is a second one.
    const data = seen.slice(from, from + 2);
    const has_more = seen.length > from + 2;
    return {
      status: 200,
      body: { data: data.map(shown), has_more, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null },
    };
  }

  function endOne(batch: FakeBatch, outcomes: Record<number, Outcome>): void {
    const counts: Record<string, number> = {};
    batch.results = batch.requests.map(({ custom_id, params }, index) => {
      const given = outcomes[index] ?? (batch.state === 'canceling' ? 'canceled' : null);
      const result = resultOf(given, params, headersOf.get(batch.id)!);
      counts[result['type']] = (counts[result['type']] ?? 0) + 1;
      return JSON.stringify({ custom_id, result });
    });
    // In any order.
    batch.results.reverse();
    batch.counts = counts;
    batch.state = 'ended';
  }

  function resultOf(given: Outcome | null, params: Json, headers: IncomingHttpHeaders): Json {
    if (given === 'canceled' || given === 'expired') return { type: given };
    if (given !== null) return { type: 'errored', error: given.error };
    const { status, body } = deps.answer(params, headers);
    if (status !== 200) return { type: 'errored', error: body };
    return { type: 'succeeded', message: { ...body, usage: { ...body['usage'], service_tier: 'batch' } } };
  }

  return fake;
}

function shown({ id, state, createdAt, counts }: FakeBatch): Json {
  return {
    id,
    type: 'message_batch',
    processing_status: state,
    request_counts: Object.fromEntries(names.map((name) => [name, counts[name] ?? 0])),
    created_at: createdAt.toISOString(),
    expires_at: new Date(createdAt.getTime() + 86_400_000).toISOString(),
    ended_at: state === 'ended' ? createdAt.toISOString() : null,
    cancel_initiated_at: null,
    archived_at: null,
    // At another host: whoever follows it sends its key there.
    results_url: state === 'ended' ? `http://results.invalid${base}/${id}/results` : null,
  };
}
