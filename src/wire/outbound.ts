import {
  Agent,
  type AgentOptions,
  globalAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { urlToHttpOptions } from 'node:url';
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { piecesOf } from './pieces.ts';

/** A request to another server. */
export interface OutboundRequest {
  method: string;
  /** Absolute. */
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Left out: it has none. */
  body?: Uint8Array;
  signal: AbortSignal;
}

/** An answer whose head is here. */
export interface OutboundAnswer {
  status: number;
  /** In lower case; of several of one name the values are joined. Cookies are nobody's. */
  headers: Readonly<Record<string, string>>;
  /** Of a failure it ends after 256 KiB. Throws what broke the connection, or the reason of the signal. */
  body: AsyncIterableIterator<Uint8Array>;
}

/** Rejects with what broke the connection, or with the reason of the signal. */
export type Outbound = (request: OutboundRequest) => Promise<OutboundAnswer>;

/** Most that is read of the body of a failure, in bytes. */
const maxFailureBytes = 256 * 1024;
/** A connection that nobody uses is closed before the other side, or whatever is between, does it unseen. */
const idleMs = 4_000;
/** Addresses that are remembered in parts: a service has a few. */
const mostAddresses = 256;

/** An address as Node's client takes it. */
interface Address {
  send: typeof httpRequest;
  options: RequestOptions;
}

/**
 * Sends requests to other servers, with a pool of connections of its own. It has no limits of time. It follows no redirect, as prompts
 * and keys go where the configuration says and nowhere else. Neither it nor its answers are those of `fetch`, whose headers and
 * streams take as long for each request and piece as all else that is done with them.
 */
export function createOutbound(): Outbound {
  const options: AgentOptions = { keepAlive: true, timeout: idleMs };
  // Of NODE_USE_ENV_PROXY, which Node reads.
  const { proxyEnv } = (globalAgent as Agent & { readonly options: AgentOptions }).options;
  if (proxyEnv !== undefined) options.proxyEnv = proxyEnv;
  const agent = new Agent(options);
  const secureAgent = new SecureAgent(options);
  const addresses = new Map<string, Address>();

  const addressOf = (url: string): Address => {
    const known = addresses.get(url);
    if (known !== undefined) return known;
    // Of all that it makes of an address only what a request needs, as each request has a copy.
    const { protocol, hostname, port, path, auth } = urlToHttpOptions(new URL(url)) as RequestOptions;
    const parts = { protocol, hostname, port, path, ...(auth != null && { auth }) };
    const address: Address =
      protocol === 'https:'
        ? { send: secureRequest, options: { ...parts, agent: secureAgent } }
        : { send: httpRequest, options: { ...parts, agent } };
    if (addresses.size >= mostAddresses) addresses.clear();
    addresses.set(url, address);
    return address;
  };

  return ({ method, url, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const { send, options } = addressOf(url);
      const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
      const sent = send({ ...options, method, headers: { ...headers, ...length } });
      const abort = () => sent.destroy(signal.reason);
      const why = (error: unknown) => (signal.aborted ? signal.reason : error);
      signal.addEventListener('abort', abort, { once: true });
      sent.once('close', () => signal.removeEventListener('abort', abort));
      sent.on('error', (error) => reject(why(error)));
      sent.once('response', (message) => resolve(answerOf(message, why)));
      sent.end(body);
    });
}

/** `why`: the reason of an error of the connection. */
function answerOf(message: IncomingMessage, why: (error: unknown) => unknown): OutboundAnswer {
  const status = message.statusCode ?? 0;
  const isSuccess = status >= 200 && status < 300;
  const pieces = piecesOf(decoded(message), { why, stop: () => message.destroy() });
  const body = isSuccess ? pieces : firstBytes(pieces, maxFailureBytes);
  return { status, headers: textsOf(message.headers), body };
}

function textsOf({ 'set-cookie': _, ...headers }: IncomingHttpHeaders): Record<string, string> {
  // Node has lists of cookies alone.
  return headers as Record<string, string>;
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }),
  deflate: () => createInflate({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }),
  br: () =>
    createBrotliDecompress({
      flush: constants.BROTLI_OPERATION_FLUSH,
      finishFlush: constants.BROTLI_OPERATION_FLUSH,
    }),
};

/** Nobody is asked to compress what it sends; some do all the same. */
function decoded(message: IncomingMessage): Readable {
  const encoding = message.headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (!Object.hasOwn(decoders, encoding)) return message;
  // Whoever reads the result hears of the failure of either.
  return pipeline(message, decoders[encoding]!(), () => {});
}

async function* firstBytes(pieces: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array, void> {
  let left = most;
  for await (const piece of pieces) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return;
  }
}
