import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { getFileBytes, lengthError } from '../hub/file-response.ts';
import type { HubFile } from '../hub/hub.ts';
import type { HubHttp } from '../hub/hub-http.ts';
import { TransientHubError } from '../hub/transient.ts';
import type { PartFile } from './part-file.ts';
import type { Throttle } from './throttle.ts';
import { waitMs } from './waiting.ts';
import type { PullWindow } from './window.ts';

/** Tries in a row that bring nothing before a pull fails. */
const mostFruitlessTries = 8;
const firstDelayMs = 1_000;
const longestDelayMs = 60_000;
/** A hub that asks for a longer pause than this gets the pull's failure instead. */
const longestRetryAfterMs = 10 * 60_000;

export interface TransferDeps {
  http: HubHttp;
  clock: Clock;
  throttle: Throttle;
  window: PullWindow;
  /** From 0 to 1; spreads the tries of many machines. */
  random: () => number;
}

/** What a transfer tells while it runs. */
export interface TransferListener {
  /** So many more bytes arrived from the network. */
  onBytes(bytes: number): void;
  /** It waits, with the reason as a sentence, or goes on again (null). */
  onWaiting(reason: string | null): void;
}

/**
 * Downloads what a part still lacks, as one stream, and again from where it broke off for as long as tries bring
 * something. Rejects with `hub_failed` when they no longer do, with what `HubHttp.get` and the part reject with, and with
 * the signal's reason. The part stays open.
 */
export async function transferFile(
  deps: TransferDeps,
  source: { url: URL; file: HubFile },
  part: PartFile,
  listener: TransferListener,
  signal: AbortSignal,
): Promise<void> {
  let fruitless = 0;
  while (part.offsetBytes() < source.file.sizeBytes) {
    await waitForWindow(deps, listener, signal);
    const before = part.offsetBytes();
    try {
      await fetchRest(deps, source, part, listener, signal);
    } catch (error) {
      if (!(error instanceof TransientHubError)) throw error;
      fruitless = part.offsetBytes() > before ? 1 : fruitless + 1;
      const delayMs = error.retryAfterMs ?? backOffMs(fruitless, deps.random());
      if (fruitless >= mostFruitlessTries || delayMs > longestRetryAfterMs) throw givenUp(error);
      listener.onWaiting(`${error.message}; the next try is in ${Math.ceil(delayMs / 1000)} s`);
      await waitMs(deps.clock, delayMs, signal);
      listener.onWaiting(null);
    }
  }
}

async function waitForWindow(deps: TransferDeps, listener: TransferListener, signal: AbortSignal): Promise<void> {
  if (deps.window.isOpen()) return;
  listener.onWaiting('pulls run only within the configured hours');
  await deps.window.opened(signal);
  listener.onWaiting(null);
}

/** One request; returns early, with the connection closed, when the hours for pulls end. */
async function fetchRest(
  deps: TransferDeps,
  { url, file }: { url: URL; file: HubFile },
  part: PartFile,
  listener: TransferListener,
  signal: AbortSignal,
): Promise<void> {
  const range = { startBytes: part.offsetBytes(), endBytes: file.sizeBytes };
  const answer = await getFileBytes(deps.http, url, file, range, signal);
  const known = part.etag();
  if (range.startBytes > 0 && known !== null && answer.etag !== null && known !== answer.etag) {
    // The bytes so far may be of another file; the next round asks from the beginning.
    answer.response.close();
    await part.restart();
    return;
  }
  if (part.offsetBytes() === 0) part.setEtag(answer.etag);
  // A server without ranges sends what is here already once more.
  let skipBytes = range.startBytes - answer.startBytes;
  for await (const chunk of answer.response.chunks()) {
    const useful = chunk.subarray(Math.min(skipBytes, chunk.length));
    skipBytes -= chunk.length - useful.length;
    if (part.offsetBytes() + useful.length > file.sizeBytes) {
      throw lengthError(file.sizeBytes, part.offsetBytes() + useful.length);
    }
    if (useful.length > 0) await part.write(useful);
    listener.onBytes(chunk.length);
    if (!deps.window.isOpen()) return;
    await deps.throttle.take(chunk.length, signal);
  }
  if (part.offsetBytes() < file.sizeBytes) throw new TransientHubError('the file ended too early');
}

/** Doubles from try to try, with up to half of it left to chance. */
function backOffMs(tries: number, random: number): number {
  const fullMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (tries - 1));
  return fullMs / 2 + (fullMs / 2) * random;
}

function givenUp(error: TransientHubError): AppError {
  return new AppError('hub_failed', `The hub could not be read: ${error.message}.`, {
    fix: 'Pull again later; what arrived is kept.',
    ...(error.retryAfterMs !== null && { retryAfterSeconds: Math.ceil(error.retryAfterMs / 1000) }),
    cause: error,
  });
}

/** What a transient failure outside a transfer means for a client. */
export function hubFailure(error: unknown): unknown {
  return error instanceof TransientHubError ? givenUp(error) : error;
}
