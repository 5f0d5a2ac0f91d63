import type { ProviderConfig } from '../../config/providers.ts';
import type { CallContext } from '../../core/call.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { viaHeader, viaOf } from '../../core/hops.ts';
import type { Logger } from '../../observe/logger.ts';
import type { OutboundAnswer } from '../../wire/outbound.ts';
import { systemCodeOf } from '../../wire/unanswered.ts';
import { type UpstreamWatch, watchUpstream } from '../../wire/upstream.ts';
import { brokenAnswer } from '../messages/broken-answer.ts';
import { type JsonObject, objectAt, parseObject } from '../messages/json.ts';
import { type ApiClient, createApiClient, RefusedByUpstream } from './client.ts';
import { excerptOf, failureToError, namesThinking, wantsThinking } from './errors.ts';
import { isThought, joinBetas, withoutThoughts } from './relay.ts';

/** What is asked of the API. */
export interface Outgoing {
  path: string;
  content: string | Uint8Array;
  /** The same, parsed; it is sent anew without its thoughts where those are refused. */
  body: JsonObject;
  headers: Readonly<Record<string, string>>;
  /** An answer that comes whole says nothing until it is all there. */
  comesWhole: boolean;
}

/** An answer that has begun. Its user closes the watch. */
export interface OpenAnswer {
  response: OutboundAnswer;
  watch: UpstreamWatch;
}

/** Requests to the API under our own times; everything that it or the way to it does wrong is an `AppError`. */
export interface ApiSession {
  post(outgoing: Outgoing, context: Pick<CallContext, 'signal' | 'hops' | 'requestId'>): Promise<OpenAnswer>;
  get(path: string, query: Record<string, string>, signal: AbortSignal): Promise<JsonObject>;
  /** An answer to a request without a body. */
  open(method: 'get' | 'post' | 'delete', path: string, signal: AbortSignal): Promise<OpenAnswer>;
  /** The JSON of a whole answer, and its bytes. */
  readJson(answer: OpenAnswer): Promise<{ json: JsonObject; bytes: Uint8Array }>;
}

/** How long the API's own clients wait for a whole answer, which is silent until its end. */
const wholeAnswerMs = 600_000;
/** More than any answer has, or list of models. */
const maxJsonBytes = 64 * 1024 * 1024;

export function createApiSession(deps: {
  config: ProviderConfig;
  clock: Clock;
  log: Logger;
  /** Id of this process; left out: nobody is told through whom a request came. */
  instance?: string;
}): ApiSession {
  const { config, clock, log } = deps;
  const { id: provider, timeouts } = config;
  const client: ApiClient = createApiClient(config);
  /** Only who is not where the API itself is may be a server of ours. */
  const via = (hops: readonly string[] = []): Record<string, string> =>
    config.baseUrl === null || deps.instance === undefined ? {} : { [viaHeader]: viaOf(hops, deps.instance) };

  /** Of requests that no client of ours has made. */
  const own = () => ({ 'anthropic-version': '2026-10-21', ...via() });

  const toError = (error: unknown): AppError => {
    if (error instanceof AppError) return error;
    if (error instanceof RefusedByUpstream) return failureToError(error.failure, provider, clock);
    return brokenAnswer(provider, `cannot be reached (${systemCodeOf(error) ?? 'the connection failed'})`, error);
  };

  /** One try, under a watch of its own. */
  const tryOnce = async (
    request: Omit<Parameters<ApiClient['send']>[0], 'signal'>,
    signal: AbortSignal,
    { comesWhole }: { comesWhole: boolean },
  ): Promise<OpenAnswer> => {
    const watch = watchUpstream({
      clock,
      provider,
      signal,
      timeouts: {
        firstByteMs: comesWhole ? Math.max(wholeAnswerMs, timeouts.firstByteMs) : timeouts.firstByteMs,
        idleMs: timeouts.idleMs,
        totalMs: timeouts.totalMs,
      },
    });
    try {
      return { response: await watch.head(client.send({ ...request, signal: watch.signal })), watch };
    } catch (error) {
      watch.close();
      throw error;
    }
  };

  const session: ApiSession = {
    async post({ path, content, body, headers, comesWhole }, context) {
      const betas = joinBetas(config.headers['anthropic-beta']?.reveal(), headers['anthropic-beta']);
      const { 'anthropic-beta': _betas, ...others } = headers;
      const sent = { ...others, ...(betas !== null && { 'anthropic-beta': betas }), ...via(context.hops) };
      const ask = (text: string | Uint8Array) =>
        tryOnce({ method: 'post', path, body: text, headers: sent }, context.signal, { comesWhole });
      try {
        try {
          return await ask(content);
        } catch (error) {
          const healed = error instanceof RefusedByUpstream ? healedBody(body, error) : null;
          if (healed === null) throw error;
          log.warn(
            { provider, requestId: context.requestId },
            'thoughts of earlier turns were refused; asking once without them',
          );
          return await ask(JSON.stringify(healed));
        }
      } catch (error) {
        throw toError(error);
      }
    },
    async get(path, query, signal) {
      try {
        const asked = Object.keys(query).length === 0 ? path : `${path}?${new URLSearchParams(query)}`;
        const answer = await tryOnce({ method: 'get', path: asked, headers: own() }, signal, { comesWhole: false });
        return (await session.readJson(answer)).json;
      } catch (error) {
        throw toError(error);
      }
    },
    async open(method, path, signal) {
      try {
        return await tryOnce({ method, path, headers: own() }, signal, { comesWhole: true });
      } catch (error) {
        throw toError(error);
      }
    },
    async readJson({ response, watch }) {
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of watch.body(response.body)) {
        pieces.push(piece);
        size += piece.length;
        if (size > maxJsonBytes) throw brokenAnswer(provider, `sent more than ${maxJsonBytes} bytes in one answer`);
      }
      const bytes = Buffer.concat(pieces);
      const text = bytes.toString('utf8');
      const json = parseObject(text);
      if (json === null) throw brokenAnswer(provider, `answered with ${excerptOf(text)} in place of JSON`);
      // Some gateways say with a 200 that they have failed.
      if (json['type'] === 'error' && objectAt(json, 'error') !== null) {
        throw failureToError({ status: 502, headers: response.headers, text, body: json }, provider, clock);
      }
      return { json, bytes };
    },
  };
  return session;
}

/** The request without the thoughts that were refused; null: it has none, or that is not what is wrong. */
function healedBody(body: JsonObject, { failure }: RefusedByUpstream): JsonObject | null {
  if (!namesThinking(failure)) return null;
  const bare = withoutThoughts(body, isThought);
  if (!wantsThinking(failure)) return bare;
  // A model that thinks by a budget wants every turn with calls to begin with a thought; without thinking it does not.
  const { thinking, ...rest } = bare ?? body;
  return thinking === undefined ? bare : rest;
}
