import { Agent, request as httpRequest } from 'node:http';
import { readAnswer } from './answer.ts';
import { type TimedChunk, timedRecords } from './sse.ts';
import type { StreamTrace } from './trace.ts';

/** One streaming request; `body` is sent with `stream` and `stream_options.include_usage` added. */
export interface StreamRequest {
  baseUrl: string;
  endpoint: 'chat/completions' | 'completions';
  body: Record<string, unknown>;
  /** Cuts the connection; what arrived until then stays in the trace. */
  signal?: AbortSignal;
  /** Called for each piece of the body with how many came so far. */
  onChunk?: (count: number) => void;
}

/** Bounds every request, so that a bench of a server that hangs ends. */
const requestTimeoutMs = 300_000;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/**
 * The base URL of a server on this machine, without a trailing slash or `/v1`.
 * Throws for any other host: benches load the machine they run on, never one in the network.
 */
export function loopbackUrl(text: string): string {
  const url = new URL(text);
  if (url.protocol !== 'http:' || !['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)) {
    throw new Error(`${text}: benches only talk http to 127.0.0.1, localhost or [::1].`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')}`;
}

/** Bytes of an answer as they arrived. */
interface RecordedStream {
  startMs: number;
  endMs: number;
  chunks: TimedChunk[];
  /** A status that is not 200, or why the connection broke; null for an answer that came to its end. */
  failure: string | null;
}

/**
 * Posts a JSON body and records the answer as it arrives; a failure of any kind is `failure`, nothing is thrown.
 * Uses the plain HTTP client of Node: it takes the least time from the server under test.
 */
export function recordStream(options: {
  url: string;
  body: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Called for each piece of the body with how many came so far. */
  onChunk?: (count: number) => void;
}): Promise<RecordedStream> {
  const text = JSON.stringify(options.body);
  const chunks: TimedChunk[] = [];
  let status = 0;
  const startMs = performance.now();
  return new Promise((resolve) => {
    const finish = (failure: string | null) => {
      const endMs = performance.now();
      if (status === 0 || status === 200) return resolve({ startMs, endMs, chunks, failure });
      const said = Buffer.concat(chunks.map(({ bytes }) => bytes)).toString('utf8');
      resolve({ startMs, endMs, chunks: [], failure: `status ${status}: ${said.slice(0, 300)}` });
    };
    const outgoing = httpRequest(
      options.url,
      {
        method: 'POST',
        agent,
        timeout: requestTimeoutMs,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          ...options.headers,
        },
        ...(options.signal && { signal: options.signal }),
      },
      (response) => {
        status = response.statusCode ?? 0;
        response.on('data', (bytes: Buffer) => {
          chunks.push({ bytes, atMs: performance.now() });
          options.onChunk?.(chunks.length);
        });
        response.on('end', () => finish(null));
        response.on('error', (error) => finish(error.message));
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`silent for ${requestTimeoutMs / 1000} s`)));
    outgoing.on('error', (error) => finish(error.message));
    outgoing.end(text);
  });
}

/** Sends a request of the OpenAI API and reads its answer; a failure of any kind is `failure` in the trace. */
export async function streamAnswer({ baseUrl, endpoint, body, ...rest }: StreamRequest): Promise<StreamTrace> {
  const { startMs, endMs, chunks, failure } = await recordStream({
    ...rest,
    url: `${baseUrl}/v1/${endpoint}`,
    body: { ...body, stream: true, stream_options: { include_usage: true } },
  });
  const answer = readAnswer(timedRecords(chunks));
  return { startMs, endMs, ...answer, failure: failure ?? answer.failure };
}

/** One plain request; the answer's status and JSON (null when it is none). */
export async function sendJson(url: string, method: 'GET' | 'POST', body?: unknown) {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, body: null };
  }
}
