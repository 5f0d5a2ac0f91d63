import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { LookUpHost } from '../../wire/addresses.ts';
import { assertAllowedUrl, checkedLookup, type HostRules } from './hosts.ts';
import { invalidAnswer, TransientHubError } from './hub-errors.ts';
import { type HubProxy, isProxied, openTunnel } from './tunnel.ts';

const mostRedirects = 5;

/** An answer with status 200 or 206. */
export interface HubResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** Of the first answer, which is the hub's own: what it says of a file before it redirects to the store of files. */
  hubHeaders: IncomingHttpHeaders;
  /** The body; ends with `TransientHubError` when nothing arrives for too long or the connection breaks. */
  chunks(): AsyncGenerator<Buffer>;
  /** Lets go of the connection; what has not been read is lost. */
  close(): void;
}

export interface HubHttp {
  /**
   * GETs a URL; redirects are followed after the same checks, the token goes to the hub only. Rejects with
   * `TransientHubError` for what may pass, and with `hub_access_denied`, `model_not_found` or `hub_answer_invalid`.
   */
  get(url: URL, options: { headers?: Record<string, string>; signal: AbortSignal }): Promise<HubResponse>;
  close(): void;
}

/**
 * HTTP towards the hub. Node's own client and not `fetch`, because only it takes a `lookup`: the address that was
 * checked is the address that is connected to.
 */
export function createHubHttp(deps: {
  rules: HostRules;
  token: string | null;
  clock: Clock;
  /** A connection on which nothing arrives for so long is given up. */
  stallMs: number;
  userAgent: string;
  /** Null: the hub is reached directly. */
  proxy: HubProxy | null;
  lookUpHost?: LookUpHost;
  /** Certificates that are trusted behind a proxy, for tests; left out: those of Node. */
  ca?: string;
}): HubHttp {
  const { rules, clock, stallMs } = deps;
  const lookup = checkedLookup(rules, deps.lookUpHost);
  const agents = {
    'http:': new HttpAgent({ keepAlive: true, maxSockets: 8 }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets: 8 }),
  };

  /** Rejects when nothing arrived for `stallMs`. */
  async function watched<T>(work: Promise<T>, giveUp: (error: Error) => void): Promise<T> {
    const timer = clock.after(stallMs, () =>
      giveUp(new TransientHubError(`nothing arrived for ${Math.round(stallMs / 1000)} s`)),
    );
    try {
      return await work;
    } finally {
      timer.cancel();
    }
  }

  /** Null: no proxy stands between us and the host. */
  async function tunnelTo(url: URL, signal: AbortSignal): Promise<TLSSocket | null> {
    const { proxy, ca } = deps;
    if (proxy === null || !isProxied(url, proxy)) return null;
    const stalled = new AbortController();
    const options = { signal: AbortSignal.any([signal, stalled.signal]), ...(ca !== undefined && { ca }) };
    try {
      return await watched(openTunnel(proxy, url, options), (error) => stalled.abort(error));
    } catch (error) {
      throw asHubError(stalled.signal.aborted ? stalled.signal.reason : error, signal);
    }
  }

  async function getOnce(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
    assertAllowedUrl(url, rules);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const tunnel = await tunnelTo(url, signal);
    const request = send(url, {
      // A tunnel serves one request; the next one asks for its own. Without an agent Node takes port 80 for the usual one.
      ...(tunnel
        ? { createConnection: () => tunnel, defaultPort: 443 }
        : { agent: agents[url.protocol as 'http:' | 'https:'], lookup }),
      signal,
      headers: {
        'user-agent': deps.userAgent,
        // What is hashed and counted is the file, not a compressed form of it.
        'accept-encoding': 'identity',
        ...headers,
        ...(deps.token !== null && url.origin === rules.endpoint.origin && { authorization: `Bearer ${deps.token}` }),
      },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve);
      request.on('error', reject);
    });
    request.end();
    try {
      return await watched(answered, (error) => request.destroy(error));
    } catch (error) {
      throw asHubError(error, signal);
    }
  }

  async function* chunksOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
    const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      while (true) {
        const next = await watched(iterator.next(), (error) => response.destroy(error));
        if (next.done) break;
        yield next.value;
      }
    } catch (error) {
      throw asHubError(error, signal);
    } finally {
      // Only a body that was read to its end leaves a connection that can be used again.
      if (!response.readableEnded) response.destroy();
    }
    // A connection that is cut in mid-body ends the iteration without an error in some cases.
    if (!response.complete) throw new TransientHubError('the connection was cut');
  }

  return {
    async get(url, { headers = {}, signal }) {
      let hubHeaders: IncomingHttpHeaders | null = null;
      for (let hop = 0; ; hop++) {
        signal.throwIfAborted();
        const response = await getOnce(url, headers, signal);
        const isHub = url.origin === rules.endpoint.origin;
        if (isHub || hubHeaders === null) hubHeaders = response.headers;
        const status = response.statusCode ?? 0;
        const location = response.headers.location;
        if (status >= 300 && status < 400 && location !== undefined) {
          response.resume();
          if (hop >= mostRedirects) throw invalidAnswer('too_many_redirects', 'The hub redirects without an end.');
          if (!URL.canParse(location, url.href))
            throw invalidAnswer('bad_redirect', 'The hub redirects to no address.');
          url = new URL(location, url);
          continue;
        }
        if (status !== 200 && status !== 206) {
          response.resume();
          throw statusError(status, response.headers, clock.now());
        }
        const encoding = response.headers['content-encoding'];
        if (encoding !== undefined && encoding !== 'identity') {
          response.destroy();
          throw invalidAnswer('encoded', 'The hub sent a compressed body, although none was asked for.');
        }
        return {
          status,
          headers: response.headers,
          hubHeaders,
          chunks: () => chunksOf(response, signal),
          close: () => response.destroy(),
        };
      }
    },
    close() {
      agents['http:'].destroy();
      agents['https:'].destroy();
    },
  };
}

function statusError(status: number, headers: IncomingHttpHeaders, now: Date): Error {
  if (status === 401 || status === 403) {
    return new AppError('hub_access_denied', 'The hub does not give this model to us.', {
      fix: 'If its terms have to be accepted, accept them on its page, and set HEARTH_HUB_TOKEN to a token of that account.',
      details: { status },
    });
  }
  if (status === 404 || status === 410) {
    return new AppError('model_not_found', 'The hub has no such repository, revision or file.', { field: 'name' });
  }
  if (status === 408 || status === 429 || status >= 500) {
    return new TransientHubError(`the hub answered with status ${status}`, {
      retryAfterMs: retryAfterMs(headers['retry-after'], now),
    });
  }
  return invalidAnswer('unexpected_status', `The hub answered with status ${status}.`, { status });
}

/** Seconds or a date; null when there is none or it cannot be read. */
function retryAfterMs(value: string | undefined, now: Date): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now.getTime());
}

function asHubError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError || error instanceof TransientHubError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return new TransientHubError(`the connection failed (${code})`, { cause: error });
}
