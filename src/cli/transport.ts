import { type IncomingMessage, request as requestInTheOpen } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { text as readText } from 'node:stream/consumers';
import type { z } from 'zod';
import { AppError } from '../core/errors.ts';
import { toError } from './native-api.ts';

/** Headers of a request beside those that every one has. */
export type MoreHeaders = Readonly<Record<string, string>>;

/** An answer that comes line by line. */
export interface Lines {
  headers: MoreHeaders;
  /** Throws an `AppError` where the connection breaks before the end. */
  lines: AsyncIterable<string>;
}

/** Requests to one server. All reject with an `AppError` for its refusals and for a connection that breaks. */
export interface Transport {
  send(method: string, path: string, body?: unknown, more?: MoreHeaders): Promise<Response>;
  /** The answer as the schema reads it. */
  ask<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown, more?: MoreHeaders): Promise<T>;
  /** The same for what may take as long as it likes, as loading a model does. An abort of `signal` rejects with its reason. */
  askPatiently<T>(path: string, schema: z.ZodType<T>, body: unknown, signal: AbortSignal): Promise<T>;
  /** Lines as they come, with as long between them as it takes. An abort of `signal` is thrown as its reason. */
  lines(path: string, body: unknown, more: MoreHeaders, signal: AbortSignal): Promise<Lines>;
  /** Ends what is under way. */
  close(): void;
}

/** `address` has been shown to be Hearth: the key goes with every request. */
export function createTransport({ address, apiKey }: { address: string; apiKey: string | undefined }): Transport {
  // A stream that nobody follows any more would keep the process alive.
  const closing = new AbortController();
  const headersOf = (body: unknown, more: MoreHeaders) => ({
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    // A form says its boundary itself.
    ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
    ...more,
  });
  const broke = (cause: unknown) =>
    new AppError('internal_error', `The connection to ${address} broke.`, { cause: cause as Error });

  async function send(method: string, path: string, body?: unknown, more: MoreHeaders = {}): Promise<Response> {
    const response = await fetch(address + path, {
      method,
      // The key is for the server that was asked, not for one that it names.
      redirect: 'error',
      signal: closing.signal,
      headers: headersOf(body, more),
      ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw broke(error);
    });
    if (!response.ok) throw toError(response.status, await response.json().catch(() => null));
    return response;
  }

  function parse<T>(schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new AppError('internal_error', `The server at ${address} gave an answer that this version cannot read.`, {
      fix: 'Is it another version of Hearth?',
      cause: parsed.error,
    });
  }

  /** `fetch` gives up on an answer that begins, or goes on, only after five minutes. This one waits. */
  async function post(path: string, body: unknown, more: MoreHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(address + path);
    const request = url.protocol === 'https:' ? requestOverTls : requestInTheOpen;
    const text = JSON.stringify(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { ...headersOf(body, more), 'content-length': Buffer.byteLength(text) };
      const asked = request(
        url,
        { method: 'POST', headers, signal: AbortSignal.any([signal, closing.signal]) },
        resolve,
      );
      asked.on('error', reject).end(text);
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw broke(error);
    });
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    const refusal = await readText(response)
      .then(JSON.parse)
      .catch(() => null);
    if (statusCode < 400) throw broke(new Error(`status ${statusCode}`));
    throw toError(statusCode, refusal);
  }

  async function* linesOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<string> {
    let rest = '';
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        yield* lines;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw broke(error);
    }
    if (rest !== '') yield rest;
  }

  return {
    send,
    async ask(method, path, schema, body, more) {
      const response = await send(method, path, body, more);
      return parse(schema, await response.json().catch(() => null));
    },
    async askPatiently(path, schema, body, signal) {
      const text = await readText(await post(path, body, {}, signal)).catch((error: unknown) => {
        signal.throwIfAborted();
        throw broke(error);
      });
      return parse(schema, jsonOf(text));
    },
    async lines(path, body, more, signal) {
      const response = await post(path, body, more, signal);
      const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
      return { headers: Object.fromEntries(headers), lines: linesOf(response, signal) };
    },
    close: () => closing.abort(),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it, in words.
    return null;
  }
}
