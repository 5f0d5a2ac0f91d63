import { computed, effect, signal } from '@preact/signals';
import { access, send } from './api.ts';
import { type Failure, failureOf } from './failure.ts';
import { key } from './key.ts';
import { readSse } from './sse.ts';
import type { LiveState } from './types.ts';

/** Everything that the server tells as it changes; null before it has told anything. */
export const live = signal<LiveState | null>(null);

/** How the line to the server is. `retryAt`: when it is tried again, in milliseconds since 1970. */
export const line = signal<
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'lost'; failure: Failure; retryAt: number }
  | { state: 'resting' }
>({ state: 'connecting' });

/** One part of it, which changes only with itself. */
export function part<Name extends keyof LiveState>(name: Name) {
  return computed(() => live.value?.[name] ?? null);
}

const leastWaitMs = 1_000;
const mostWaitMs = 15_000;
/** The server says something at least every 15 s. */
const silenceMs = 40_000;
/** A tab that nobody sees lets go of the line after so long, so that the server has nothing to compute for it. */
const unseenMs = 60_000;

let attempt: AbortController | null = null;
let waitMs = leastWaitMs;
let waiting: ReturnType<typeof setTimeout> | undefined;

/** Opens the line and keeps it open for as long as the page is looked at. Once. */
export function follow(): void {
  // Another key opens another line.
  effect(() => {
    key.value;
    live.value = null;
    waitMs = leastWaitMs;
    connect();
  });
  addEventListener('online', retryNow);
  let unseen: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(unseen);
    if (document.visibilityState === 'hidden') unseen = setTimeout(rest, unseenMs);
    else if (line.value.state === 'resting') connect();
  });
}

/** Tries again at once. */
export function retryNow(): void {
  if (line.value.state === 'lost') connect();
}

function rest(): void {
  stop();
  line.value = { state: 'resting' };
}

function stop(): void {
  clearTimeout(waiting);
  attempt?.abort();
  attempt = null;
}

function connect(): void {
  stop();
  const own = new AbortController();
  attempt = own;
  if (line.peek().state !== 'lost') line.value = { state: 'connecting' };
  read(own)
    .then(() => failureOf(new Error('The server has ended the line.')), failureOf)
    .then((failure) => {
      if (attempt !== own) return;
      // A key that does not open this is no reason to try again.
      if (failure.status === 401 || failure.status === 403) {
        if (failure.status === 403) access.value = 'inference';
        line.value = { state: 'open' };
        return;
      }
      line.value = { state: 'lost', failure, retryAt: Date.now() + waitMs };
      waiting = setTimeout(connect, waitMs);
      waitMs = Math.min(mostWaitMs, waitMs * 2);
    });
}

async function read(own: AbortController): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => own.abort(new Error('The server has fallen silent.')), silenceMs);
  };
  try {
    heard();
    const response = await send('api/v1/events', { signal: own.signal });
    for await (const { event, data } of readSse(response.body!, heard)) {
      if (attempt !== own) return;
      if (event === 'snapshot') {
        live.value = JSON.parse(data) as LiveState;
        access.value = 'admin';
        line.value = { state: 'open' };
        waitMs = leastWaitMs;
      } else if (event === 'change' && live.value !== null) {
        live.value = { ...live.value, ...(JSON.parse(data) as Partial<LiveState>) };
      } else if (event === 'end' && (JSON.parse(data) as { reason: string }).reason === 'key') {
        access.value = 'asked';
      }
    }
  } finally {
    clearTimeout(silence);
  }
}
