import type { BatchLine, BatchLineAnswer, BatchLineResult } from '../../core/batch-line.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { flowOf } from '../../core/flow.ts';
import {
  type BatchTrace,
  lacksBatches,
  type ProviderBatches,
  type SentBatch,
  unknownBatch,
} from '../../core/provider-batch.ts';
import { linesOf } from '../../wire/lines.ts';
import { brokenAnswer } from '../messages/broken-answer.ts';
import { isObject, type JsonObject, listAt, numberAt, objectAt, parseObject, textAt } from '../messages/json.ts';
import { excerptOf, failureToError, statusOfType } from './errors.ts';
import type { ApiSession, OpenAnswer, Outgoing } from './session.ts';

const path = '/v1/messages/batches';
/** Of Anthropic, November 2026. Larger results than this no request has. */
const limits = { requests: 100_000, bytes: 256 * 1024 * 1024 };
const maxLineBytes = 64 * 1024 * 1024;
/** A list has at most so many pages that are looked at, of a hundred. */
const maxPages = 10;
const pageSize = 100;
/** Clocks differ, and who was killed may have been about to send for a while. */
const earlierMs = 10 * 60_000;

/** Message Batches, without the words of single requests. */
export function createMessageBatches(deps: {
  provider: string;
  session: ApiSession;
  clock: Pick<Clock, 'now'>;
}): Omit<ProviderBatches, 'word' | 'read'> {
  const { provider, session, clock } = deps;
  const at = (id: string) => `${path}/${encodeURIComponent(id)}`;
  /** Whoever speaks the API may have single requests alone. */
  const there = async <Result>(asked: Promise<Result>): Promise<Result> => {
    try {
      return await asked;
    } catch (error) {
      if (!lacksBatches(error)) throw error;
      throw new AppError('not_supported', `${provider} takes no batches.`, { cause: error });
    }
  };
  const readWhole = async (answer: OpenAnswer): Promise<JsonObject> => {
    try {
      return (await session.readJson(answer)).json;
    } finally {
      answer.watch.close();
    }
  };
  const send = async (lines: readonly BatchLine[], signal: AbortSignal): Promise<JsonObject> => {
    const { headers, hops } = lines[0]!.request;
    const requests = lines.map(
      ({ customId, request }) => `{"custom_id":${JSON.stringify(customId)},"params":${request.body}}`,
    );
    const content = `{"requests":[${requests.join(',')}]}`;
    const outgoing: Outgoing = { path, content, body: {}, headers, comesWhole: true };
    return readWhole(await session.post(outgoing, { signal, hops, requestId: 'batch' }));
  };

  return {
    limits,
    async submit({ lines }, signal) {
      const batch = await there(send(lines, signal));
      const id = textAt(batch, 'id');
      if (id === null) throw brokenAnswer(provider, 'answered a batch without an id');
      return id;
    },
    async find(trace, signal) {
      let found: SentBatch | null = null;
      let after: string | null = null;
      for (let page = 0; page < maxPages; page++) {
        const query = { limit: String(pageSize), ...(after !== null && { after_id: after }) };
        const list: JsonObject = await there(session.get(path, query, signal));
        const batches = listAt(list, 'data').filter(isObject);
        // The newest come first; the oldest that may be ours is rather it than one that another has sent since.
        const mine = batches.filter((batch) => mayBe(batch, trace)).at(-1);
        if (mine) found = { id: textAt(mine, 'id')!, isCertain: false };
        after = list['has_more'] === true ? textAt(list, 'last_id') : null;
        const last = batches.at(-1);
        if (after === null || last === undefined || createdAt(last) < trace.sentAt.getTime() - earlierMs) break;
      }
      return found;
    },
    async progress(id, signal) {
      const batch = await session.get(at(id), {}, signal).catch((error: unknown) => {
        throw unknownBatch(error, provider);
      });
      const state = textAt(batch, 'processing_status') === 'ended' ? 'ended' : 'running';
      return { state, reason: null, mayComeAgain: false };
    },
    async *results(id, signal) {
      const answer = await session.open('get', `${at(id)}/results`, signal);
      try {
        for await (const { number, bytes } of linesOf(answer.watch.body(answer.response.body), maxLineBytes)) {
          const text = new TextDecoder().decode(bytes ?? new Uint8Array());
          const line = parseObject(text);
          if (line === null) throw brokenAnswer(provider, `has ${excerptOf(text)} in line ${number} of its results`);
          yield resultOf(line);
        }
      } finally {
        answer.watch.close();
      }
    },
    async cancel(id, signal) {
      await readWhole(await session.open('post', `${at(id)}/cancel`, signal));
    },
    async forget(id, signal) {
      await readWhole(await session.open('delete', at(id), signal));
    },
  };

  function resultOf(line: JsonObject): BatchLineResult {
    const customId = textAt(line, 'custom_id') ?? '';
    const result = objectAt(line, 'result') ?? {};
    const type = textAt(result, 'type');
    if (type === 'canceled' || type === 'expired') return { customId, type };
    const message = type === 'succeeded' ? objectAt(result, 'message') : null;
    if (message !== null) return { customId, type: 'answered', answer: answerOf(200, message) };
    const given = objectAt(result, 'error') ?? {
      type: 'error',
      error: { type: 'api_error', message: 'It gave no reason.' },
    };
    // Of the whole answer that it would have been, or of its inner part alone.
    const body = objectAt(given, 'error') === null ? { type: 'error', error: given } : given;
    const status = statusOfType[textAt(objectAt(body, 'error')!, 'type') ?? ''] ?? 500;
    return { customId, type: 'answered', answer: answerOf(status, body) };
  }

  /** What cannot be told from the list: whether a batch is ours is certain only by the ids of its results. */
  function mayBe(batch: JsonObject, { count, sentAt, others }: BatchTrace): boolean {
    const id = textAt(batch, 'id');
    if (id === null || others.has(id) || createdAt(batch) < sentAt.getTime() - earlierMs) return false;
    const counts = objectAt(batch, 'request_counts') ?? {};
    const names = ['processing', 'succeeded', 'errored', 'canceled', 'expired'];
    return names.reduce((sum, name) => sum + (numberAt(counts, name) ?? 0), 0) === count;
  }

  function createdAt(batch: JsonObject): number {
    const time = Date.parse(textAt(batch, 'created_at') ?? '');
    return Number.isNaN(time) ? clock.now().getTime() : time;
  }
}

function answerOf(status: number, body: JsonObject): BatchLineAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** An answer that came with others, as one that comes over the wire. Throws what the status of a failure says. */
export function openedAnswer(
  { status, headers, body }: BatchLineAnswer,
  deps: { provider: string; clock: Pick<Clock, 'now'>; signal: AbortSignal },
): OpenAnswer {
  if (status >= 400) {
    const failure = { status, headers, text: body, body: parseObject(body) };
    throw failureToError(failure, deps.provider, deps.clock);
  }
  // It is here already: nothing has to be watched.
  const watch: OpenAnswer['watch'] = {
    signal: deps.signal,
    head: (head) => head,
    body: flowOf,
    release: () => {},
    close: () => {},
  };
  return { response: { status, headers, body: only(Buffer.from(body)) }, watch };
}

async function* only<Piece>(piece: Piece): AsyncGenerator<Piece, void> {
  yield piece;
}
