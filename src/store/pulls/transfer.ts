import { type Clock, delay } from '../../core/clock.ts';
import { givenUp, type Hub, lengthError, TransientHubError } from '../hub/hub.ts';
import type { PartFile, PartTarget } from './part-file.ts';
import type { PullHours } from './pull-hours.ts';
import type { Throttle } from './throttle.ts';

/** Tries in a row that bring nothing before a pull fails. */
const mostFruitlessTries = 8;
const firstDelayMs = 1_000;
const longestDelayMs = 60_000;
/** A hub that asks for a longer pause than this gets the pull's failure instead. */
const longestRetryAfterMs = 10 * 60_000;

interface TransferDeps {
  hub: Pick<Hub, 'download'>;
  clock: Clock;
  throttle: Throttle;
  hours: PullHours;
  /** From 0 to 1; spreads the tries of many machines. */
  random: () => number;
}

/** The file, and the commit that it stands at. */
type Source = Pick<PartTarget, 'repository' | 'revision' | 'file'>;

/** What a transfer tells while it runs. */
interface TransferListener {
  /** So many more bytes arrived from the network. */
  onBytes(bytes: number): void;
  /** It waits, with the reason as a sentence, or goes on again (null). */
  onWaiting(reason: string | null): void;
}

/**
 * Downloads what a part still lacks, as one stream, and again from where it broke off for as long as tries bring
 * something. Rejects with `hub_failed` when they no longer do, with what `Hub.download` and the part reject with, and with
 * the signal's reason. The part stays open.
 */
export async function transferFile(
  deps: TransferDeps,
  source: Source,
  part: PartFile,
  listener: TransferListener,
  signal: AbortSignal,
): Promise<void> {
  let fruitless = 0;
  while (part.offsetBytes() < source.file.sizeBytes) {
    await waitForHours(deps, listener, signal);
    const before = part.offsetBytes();
    try {
      await fetchRest(deps, source, part, listener, signal);
    } catch (error) {
      if (!(error instanceof TransientHubError)) throw error;
      fruitless = part.offsetBytes() > before ? 1 : fruitless + 1;
      const delayMs = error.retryAfterMs ?? backOffMs(fruitless, deps.random());
      if (fruitless >= mostFruitlessTries || delayMs > longestRetryAfterMs) throw givenUp(error);
      listener.onWaiting(`${error.message}; the next try is in ${Math.ceil(delayMs / 1000)} s`);
      await delay(deps.clock, delayMs, signal);
      listener.onWaiting(null);
    }
  }
}

async function waitForHours(deps: TransferDeps, listener: TransferListener, signal: AbortSignal): Promise<void> {
  if (deps.hours.isOpen()) return;
  listener.onWaiting('pulls run only within the configured hours');
  await deps.hours.opened(signal);
  listener.onWaiting(null);
}

/** One request; returns early, with the connection closed, when the hours for pulls end. */
async function fetchRest(
  deps: TransferDeps,
  source: Source,
  part: PartFile,
  listener: TransferListener,
  signal: AbortSignal,
): Promise<void> {
  const { file } = source;
  const startBytes = part.offsetBytes();
  const answer = await deps.hub.download(source, file, startBytes, signal);
  const known = part.etag();
  if (startBytes > 0 && known !== null && answer.etag !== null && known !== answer.etag) {
    // The bytes so far may be of another file; the next round asks from the beginning.
    answer.response.close();
    await part.restart();
    return;
  }
  if (part.offsetBytes() === 0) part.setEtag(answer.etag);
  // A server without ranges sends what is here already once more.
  let skipBytes = startBytes - answer.startBytes;
  for await (const chunk of answer.response.chunks()) {
    const useful = chunk.subarray(Math.min(skipBytes, chunk.length));
    skipBytes -= chunk.length - useful.length;
    if (part.offsetBytes() + useful.length > file.sizeBytes) {
      throw lengthError(file.sizeBytes, part.offsetBytes() + useful.length);
    }
    if (useful.length > 0) await part.write(useful);
    listener.onBytes(chunk.length);
    if (!deps.hours.isOpen()) return;
    await deps.throttle.take(chunk.length, signal);
  }
  if (part.offsetBytes() < file.sizeBytes) throw new TransientHubError('the file ended too early');
}

/** Doubles from try to try, with up to half of it left to chance. */
function backOffMs(tries: number, random: number): number {
  const fullMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (tries - 1));
  return fullMs / 2 + (fullMs / 2) * random;
}
