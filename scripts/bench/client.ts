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

/**
 * Sends a request and records its answer; a failure of any kind is `failure` in the trace, nothing is thrown.
 * Uses the plain HTTP client of Node: it takes the least time from the server under test.
 */
export function streamAnswer(options: StreamRequest): Promise<StreamTrace> {
  const { baseUrl, endpoint } = options;
  const text = JSON.stringify({ ...options.body, stream: true, stream_options: { include_usage: true } });
  const chunks: TimedChunk[] = [];
  let status = 0;
  const startMs = performance.now();
  return new Promise((resolve) => {
    const finish = (failure: string | null) => {
      const endMs = performance.now();
      if (status !== 0 && status !== 200) {
        const said = Buffer.concat(chunks.map(({ bytes }) => bytes)).toString('utf8');
        resolve({ ...emptyTrace(startMs, endMs), failure: `status ${status}: ${said.slice(0, 300)}` });
        return;
      }
      const answer = readAnswer(timedRecords(chunks));
      resolve({ startMs, endMs, ...answer, failure: failure ?? answer.failure });
    };
    const outgoing = httpRequest(
      `${baseUrl}/v1/${endpoint}`,
      {
        method: 'POST',
        agent,
        timeout: requestTimeoutMs,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
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

function emptyTrace(startMs: number, endMs: number): StreamTrace {
  return {
    startMs,
    endMs,
    tokenTimesMs: [],
    promptTokens: null,
    cachedPromptTokens: null,
    completionTokens: null,
    text: '',
    failure: null,
  };
}
