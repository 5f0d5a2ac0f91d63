import type { Anthropic } from '@anthropic-ai/sdk';
import type { ProviderConfig } from '../../config/providers.ts';
import { createOutbound, type OutboundAnswer } from '../../wire/outbound.ts';
import { createRequestHeads, type RequestHead } from '../../wire/request-heads.ts';
import { parseObject } from '../messages/json.ts';
import type { WireFailure } from './errors.ts';

/** One request to the API. */
export interface ClientRequest {
  method: 'get' | 'post' | 'delete';
  /** With its query. */
  path: string;
  /** JSON; bytes go out as they are. */
  body?: string | Uint8Array;
  /** In lower case, beside those that every request has. */
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

/** Thrown for every answer that is no success. */
export class RefusedByUpstream extends Error {
  readonly failure: WireFailure;

  constructor(failure: WireFailure) {
    super(`status ${failure.status}`);
    this.failure = failure;
  }
}

/** The API in the words of the official SDK; answers are raw. */
export interface ApiClient {
  /** The head of a success. Rejects with `RefusedByUpstream`, or with whatever broke the connection. */
  send(request: ClientRequest): Promise<OutboundAnswer>;
}

/** Where the API is, where the configuration does not say. */
export const apiUrl = 'https://api.anthropic.com';
/** The longest that a timer of Node can wait: the SDK cannot be told to wait for ever. */
const neverMs = 2 ** 31 - 1;
/** Headers of the SDK beside its own `x-stainless-…`; the environment may add others to it, which stay here. */
const sdkHeaders = ['accept', 'user-agent', 'content-type'];

/**
 * Loads the SDK at the first request. It says where requests go and what their headers are; what it would do with each of them
 * beside that (tries, times, logs, the reading of answers) is done elsewhere, or not at all.
 */
export function createApiClient(config: Pick<ProviderConfig, 'baseUrl' | 'apiKey' | 'headers'>): ApiClient {
  const outbound = createOutbound();
  let loading: Promise<Anthropic> | null = null;
  const own = secretHeaders(config);
  const isOurs = (name: string) => name in own || sdkHeaders.includes(name) || name.startsWith('x-stainless-');
  const headOf = createRequestHeads(async (method: ClientRequest['method'], path): Promise<RequestHead> => {
    loading ??= createSdk(config);
    const headers = {
      // The key is one of our own headers, or there is none.
      authorization: null,
      ...own,
      // It would tell of a limit that there is not.
      'x-stainless-timeout': null,
    };
    const { req, url } = await (await loading).buildRequest({ method, path, headers });
    return { url, headers: Object.fromEntries([...req.headers].filter(([name]) => isOurs(name))) };
  });

  return {
    async send({ method, path, body, headers, signal }) {
      const { url, headers: usual } = await headOf(method, path);
      const answer = await outbound({
        method: method.toUpperCase(),
        url,
        headers: { ...usual, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? Buffer.from(body) : body }),
        signal,
      });
      if (answer.status < 200 || answer.status >= 300) throw await refusal(answer);
      return answer;
    },
  };
}

async function createSdk({ baseUrl }: Pick<ProviderConfig, 'baseUrl'>): Promise<Anthropic> {
  const { Anthropic } = await import('@anthropic-ai/sdk');
  return new Anthropic({
    // Some write the version into the address; the paths of the API begin with it.
    baseURL: (baseUrl ?? apiUrl).replace(/\/v1$/, ''),
    // The key travels as a header of each request. Without one here the SDK would look for any in the environment.
    apiKey: 'in-headers',
    maxRetries: 0,
    timeout: neverMs,
    logLevel: 'off',
    openTelemetry: false,
  });
}

/** A failure with its body as it came; one that breaks off counts as far as it came. */
async function refusal({ status, headers, body }: OutboundAnswer): Promise<RefusedByUpstream> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of body) pieces.push(piece);
  } catch {
    // What came says what is wrong as well as all of it would.
  }
  const text = Buffer.concat(pieces).toString('utf8');
  return new RefusedByUpstream({ status, headers, text, body: parseObject(text) });
}

/** Headers of the configuration, the key among them. */
function secretHeaders({ apiKey, headers }: Pick<ProviderConfig, 'apiKey' | 'headers'>): Record<string, string> {
  return {
    ...(apiKey && { authorization: `Bearer ${apiKey.reveal()}` }),
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.reveal()])),
  };
}
