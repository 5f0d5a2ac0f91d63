import type { EventSourceMessage } from 'eventsource-parser';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { z } from 'zod';
import { AppError } from '../core/errors.ts';
import {
  benchLoad,
  benchLoadPath,
  benchModel,
  benchModelPath,
  runningRequests,
  streamItem,
  type TimedAnswer,
  type TimedWish,
} from './bench-api.ts';
import {
  alertsPath,
  configStatus,
  configStatusPath,
  costAlerts,
  healthPath,
  healthRecord,
  logRecord,
  logRecords,
  logsPath,
  type OperationsClient,
  privacyDays,
  privacyPath,
} from './operations-api.ts';
import { eventsPath, type LiveState, liveChange, liveState, requestStatus, requestStatusPath } from './status-api.ts';

/** How a server is asked. Both reject with an `AppError`. */
interface Ways {
  address: string;
  send(method: string, path: string, body?: unknown): Promise<Response>;
  ask<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T>;
}

/** What a server tells of itself over its native API. */
export function remoteOperations({ address, send, ask }: Ways): OperationsClient {
  return {
    address,
    health: () => ask('GET', healthPath, healthRecord),
    configStatus: () => ask('GET', configStatusPath, configStatus),
    logs: (wish) => ask('GET', logsPath(wish, false), logRecords),
    async *followLogs(wish) {
      for await (const { data } of await eventsOf(send, logsPath(wish, true))) yield logRecord.parse(JSON.parse(data));
    },
    async *liveStates() {
      let state: LiveState | null = null;
      for await (const { event, data } of await eventsOf(send, eventsPath)) {
        if (event === 'end') return;
        const part: unknown = JSON.parse(data);
        const merged: LiveState =
          event === 'snapshot' || state === null ? liveState.parse(part) : Object.assign({}, state, changesOf(part));
        state = merged;
        yield merged;
      }
    },
    requestStatus: (id) => ask('GET', requestStatusPath(id), requestStatus),
    runningRequests: async () => (await ask('GET', '/requests', runningRequests)).requests.length,
    readyModel: async (name) => {
      await ask('POST', benchLoadPath(name), benchLoad, {}).catch(async (error: unknown) => {
        if (!(error instanceof AppError && error.code === 'forbidden')) throw error;
        // Whoever may not load a model may ask it, which loads it as well.
        await timeAnswer(send, { model: name, prompt: 'Hello', tokens: 1 });
      });
      return ask('GET', benchModelPath(name), benchModel);
    },
    timeAnswer: (wish) => timeAnswer(send, wish),
    metricsText: async () => (await send('GET', '/metrics')).text(),
    privacy: (days) => ask('GET', privacyPath(days), privacyDays),
    costAlerts: () => ask('GET', alertsPath, costAlerts),
  };
}

async function eventsOf(send: Ways['send'], path: string, asked?: object): Promise<AsyncIterable<EventSourceMessage>> {
  const { body } = await send(asked === undefined ? 'GET' : 'POST', path, asked);
  if (body === null) throw new AppError('internal_error', 'The server gave an empty answer.');
  return body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
}

/** What is left out of a change is as it was. */
function changesOf(part: unknown): Partial<LiveState> {
  return Object.fromEntries(Object.entries(liveChange.parse(part)).filter(([, value]) => value !== undefined));
}

/** As it is, without a template, to the last of its tokens: what is measured is the model, not what it says. */
async function timeAnswer(send: Ways['send'], { model, prompt, tokens }: TimedWish): Promise<TimedAnswer> {
  const startMs = performance.now();
  const asked = { model, prompt, raw: true, max_tokens: tokens, ignore_eos: true, temperature: 0, cache_prompt: false };
  let firstTokenMs: number | null = null;
  let lastTokenMs = 0;
  for await (const { data } of await eventsOf(send, '/generate/stream', asked)) {
    const item = streamItem.parse(JSON.parse(data));
    if ('error' in item) throw new AppError('internal_error', (item as { error: { message: string } }).error.message);
    const atMs = performance.now() - startMs;
    firstTokenMs ??= atMs;
    if (!item.finished) lastTokenMs = atMs;
    if (item.usage === undefined) continue;
    const { prompt_tokens, completion_tokens, cached_prompt_tokens } = item.usage;
    return {
      firstTokenMs,
      lastTokenMs: Math.max(lastTokenMs, firstTokenMs),
      promptTokens: prompt_tokens ?? 0,
      cachedTokens: cached_prompt_tokens ?? 0,
      tokens: completion_tokens ?? 0,
    };
  }
  throw new AppError('internal_error', 'The answer broke off.');
}
