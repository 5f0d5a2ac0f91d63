import type { Progress } from '../../core/events.ts';
import type { Lease, OnPlace } from '../residents/residents.ts';

type Queued = Extract<Progress, { stage: 'queued' }>;

/**
 * Waits for a lease and tells of the place in the queue meanwhile, the latest only when the reader is slow. Returns the
 * lease. A reader that turns away before it is there gives it back as soon as it comes.
 */
export async function* waitForLease(ask: (onPlace: OnPlace) => Promise<Lease>): AsyncGenerator<Queued, Lease> {
  const news: { latest: Queued | null } = { latest: null };
  let wake = () => {};
  const asked = ask((place, estimateMs) => {
    news.latest = { type: 'progress', stage: 'queued', place, estimateMs };
    wake();
  });
  // Both ends wake the loop; a failure is thrown by the last await.
  const settled = asked.then(
    () => true,
    () => true,
  );
  let isTaken = false;
  try {
    while (true) {
      const told = new Promise<false>((resolve) => {
        wake = () => resolve(false);
      });
      if (news.latest === null && (await Promise.race([settled, told]))) break;
      const { latest } = news;
      news.latest = null;
      if (latest !== null) yield latest;
    }
    const lease = await asked;
    isTaken = true;
    return lease;
  } finally {
    if (!isTaken) {
      asked.then(
        (lease) => lease.release(),
        () => {},
      );
    }
  }
}
