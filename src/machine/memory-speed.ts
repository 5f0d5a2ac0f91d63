import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';

/** More than caches of processors hold, and copied in a few milliseconds. */
const portionBytes = 16 * 2 ** 20;
/** Others use the memory too: the quickest of some tries is what it can do. */
const tries = 12;
/**
 * Bytes of weights that a model reads in a second, for one that is copied. A copy moves each byte twice, and a model also
 * computes: on weak cores less comes of it, so this is a guess for people and for nothing else.
 */
const readForCopied = 0.65;

/**
 * How many bytes of a model's weights this machine reads in a second, about: what its tokens a second follow from. Measured
 * once, when somebody asks, in pieces that hold up no answer.
 */
export function createMemorySpeed({ clock }: { clock: Pick<Clock, 'monotonicMs'> }): () => Promise<number> {
  let measured: Promise<number> | null = null;
  return () => {
    measured ??= measure(clock);
    return measured;
  };
}

async function measure(clock: Pick<Clock, 'monotonicMs'>): Promise<number> {
  const from = Buffer.alloc(portionBytes, 1);
  const to = Buffer.alloc(portionBytes);
  let leastMs = Number.POSITIVE_INFINITY;
  for (let count = 0; count < tries; count++) {
    await nextTurn();
    const beganMs = clock.monotonicMs();
    from.copy(to);
    const tookMs = clock.monotonicMs() - beganMs;
    // A clock that stands still tells nothing.
    if (tookMs > 0) leastMs = Math.min(leastMs, tookMs);
  }
  return Number.isFinite(leastMs) ? (portionBytes / leastMs) * 1_000 * readForCopied : 0;
}
