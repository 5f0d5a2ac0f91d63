import type OpenAI from 'openai';
import type { ProviderConfig } from '../../config/providers.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { viaHeader, viaOf } from '../../core/hops.ts';
import { createOutbound, type OutboundAnswer } from '../../wire/outbound.ts';
import { createRequestHeads, type RequestHead } from '../../wire/request-heads.ts';
import { type UpstreamWatch, watchUpstream } from '../../wire/upstream.ts';
import { type FailureDeps, toFailure, unreachable, unreadable } from './errors.ts';

/** An answer that began as a success. */
export interface ClientAnswer {
  status: number;
  /** In lower case. */
  headers: Readonly<Record<string, string>>;
  /** Under watch. */
  body: AsyncIterableIterator<Uint8Array>;
  /** It is whole: its times and its request's signal count no more. */
  release(): void;
  /** Ends it wherever it is; for who does not read `body` to its end, or perhaps not at all. More than once is fine. */
  close(): void;
}

/** One request. Failures are those of `errors.ts`. */
interface ClientRequest extends Omit<FailureDeps, 'provider'> {
  method: 'get' | 'post' | 'delete';
  /** Under the base address; `root:` before it: at the root of the host. */
  path: string;
  body?: Uint8Array;
  /** Beside the usual ones. */
  headers?: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Servers of Hearth that it came through; left out: none. */
  hops?: readonly string[] | undefined;
  /** An answer that comes whole says nothing until it is all there. */
  comesWhole: boolean;
}

/** The service over the wire. */
export interface ServiceClient {
  send(request: ClientRequest): Promise<ClientAnswer>;
  /** A whole answer in JSON. */
  json(request: ClientRequest): Promise<unknown>;
}

/** How long at least such an answer may take, in milliseconds. */
const wholeAnswerMs = 600_000;

/** Most that is read of an answer that comes whole, in bytes. */
const maxWholeBytes = 256 * 1024 * 1024;

/** As long as a timer can be: the time of a request is watched elsewhere. */
const noTimeoutMs = 2 ** 31 - 1;

/**
 * Asks in the words of the official SDK, which is loaded with the first request: it says where requests go and what their headers
 * are, and nothing of its own variables of the environment counts. What it would do with each of them beside that (tries, times,
 * logs, the reading of answers) is done here, or not at all.
 */
export function createServiceClient(deps: {
  config: ProviderConfig;
  baseUrl: string;
  clock: Clock;
  /** Id of this process; left out: nobody is told through whom a request came. */
  instance?: string;
}): ServiceClient {
  const { config, baseUrl, clock, instance } = deps;
  /** Only who is not where the service itself is may be a server of ours. */
  const headersOf = (hops: readonly string[] = []) =>
    config.baseUrl === null || instance === undefined ? {} : { [viaHeader]: viaOf(hops, instance) };
  const outbound = createOutbound();
  let loading: Promise<OpenAI> | null = null;
  const headOf = createRequestHeads(async (method: ClientRequest['method'], path): Promise<RequestHead> => {
    loading ??= createSdk(config, baseUrl);
    const { req, url } = await (await loading).buildRequest({ method, path });
    return { url, headers: Object.fromEntries(req.headers) };
  });

  const ask = (request: ClientRequest, { signal }: UpstreamWatch): Promise<OutboundAnswer> => {
    const { method, path: wanted, body } = request;
    const path = wanted.startsWith('root:') ? new URL(wanted.slice('root:'.length), baseUrl).href : wanted;
    const own = { ...(body && { 'content-type': 'application/json' }), ...request.headers, ...headersOf(request.hops) };
    const sent = ({ url, headers }: RequestHead) =>
      outbound({
        method: method.toUpperCase(),
        url,
        headers: { ...headers, ...own },
        ...(body && { body }),
        signal,
      });
    const head = headOf(method, path);
    return head instanceof Promise ? head.then(sent) : sent(head);
  };

  const send = async (request: ClientRequest): Promise<ClientAnswer> => {
    const failureDeps = { provider: config.id, isConfigured: request.isConfigured };
    const { signal, comesWhole } = request;
    const { firstByteMs } = config.timeouts;
    const timeouts = {
      ...config.timeouts,
      firstByteMs: comesWhole ? Math.max(wholeAnswerMs, firstByteMs) : firstByteMs,
    };
    const watch = watchUpstream({ clock, timeouts, signal, provider: config.id });
    try {
      const { status, headers, body: pieces } = await watch.head(ask(request, watch));
      const body = watch.body(pieces);
      if (status >= 200 && status < 300) return { status, headers, body, release: watch.release, close: watch.close };
      const text = new TextDecoder().decode(await gathered(body, maxWholeBytes, config.id));
      throw toFailure({ status, headers, text }, failureDeps);
    } catch (error) {
      watch.close();
      if (error instanceof AppError || watch.signal.reason === error) throw error;
      throw unreachable(config.id, error);
    }
  };

  return {
    send,
    async json(request) {
      const { status, headers, body } = await send(request);
      const text = new TextDecoder().decode(await gathered(body, maxWholeBytes, config.id));
      try {
        return JSON.parse(text);
      } catch {
        throw unreadable({ status, headers, text }, { provider: config.id, isConfigured: request.isConfigured });
      }
    },
  };
}

async function createSdk(config: ProviderConfig, baseUrl: string): Promise<OpenAI> {
  const { default: Sdk } = await import('openai');
  const own = Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value.reveal()]);
  return new Sdk({
    baseURL: baseUrl,
    // It wants a key, also where the service has none: then the header is taken out again.
    apiKey: config.apiKey?.reveal() ?? 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: noTimeoutMs,
    logLevel: 'off',
    defaultHeaders: { ...(config.apiKey === null && { authorization: null }), ...Object.fromEntries(own) },
  });
}

/** All bytes of a body. Throws `upstream_unavailable` for more than `maxBytes`. */
export async function gathered(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  provider: string,
): Promise<Uint8Array> {
  const gathering = createGathering(maxBytes, provider);
  for await (const piece of body) gathering.push(piece);
  return gathering.all();
}

/** The same of pieces that are given to it; `push` throws. */
export function createGathering(maxBytes: number, provider: string) {
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    push(piece: Uint8Array): void {
      length += piece.length;
      if (length > maxBytes) {
        throw new AppError('upstream_unavailable', `${provider} sent more than ${maxBytes} bytes.`, {
          details: { provider },
        });
      }
      pieces.push(piece);
    },
    all: (): Uint8Array => (pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)),
  };
}
