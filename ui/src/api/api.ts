import { signal } from '@preact/signals';
import { ApiError, readFailure, unreachable, wasAborted } from './failure.ts';
import { key } from './key.ts';

/** The root of the server: the page stands at `ui/` below it, wherever a proxy has put both. */
export const root = new URL('..', document.baseURI);

/** What the key opens, as far as the server has said. `asked`: it wants one, or another one. */
export const access = signal<'unknown' | 'asked' | 'admin' | 'inference'>('unknown');

interface Ask {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** Left-out and null values are not sent. */
  query?: Record<string, string | number | boolean | null | undefined>;
  signal?: AbortSignal;
}

/** The address of a path below the root: `address('api/v1/models')`. */
export function address(path: string, query: Ask['query'] = {}): URL {
  const url = new URL(path.replace(/^\//, ''), root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  }
  return url;
}

/** Asks the server and returns its answer once it is no error. Throws `ApiError`; `AbortError` where `signal` gave it up. */
export async function send(path: string, { method = 'GET', body, query, signal }: Ask = {}): Promise<Response> {
  const given = key.value;
  const headers: Record<string, string> = {};
  if (given !== null) headers['authorization'] = `Bearer ${given}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(address(path, query), {
    method,
    headers,
    cache: 'no-store',
    credentials: 'same-origin',
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    throw wasAborted(error) ? error : new ApiError(unreachable);
  });
  if (response.ok) return response;
  const failure = readFailure(response.status, await response.text().catch(() => ''));
  if (response.status === 401 && given === key.value) access.value = 'asked';
  throw new ApiError(failure);
}

/** The same, with the JSON of the answer. */
export async function ask<Answer>(path: string, options: Ask = {}): Promise<Answer> {
  const response = await send(path, options);
  return (await response.json()) as Answer;
}
