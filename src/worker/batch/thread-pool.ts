import { read } from 'node:fs';

/** How many threads of libuv's pool work; decode calls and samplers run on them. */
export interface ThreadPool {
  /** From now on as many work, at least one, at most all; resolves when they do. */
  use(threads: number): Promise<void>;
  /** Runs `work` with another number of them, and then goes on with the one before. */
  within<T>(threads: number, work: () => Promise<T>): Promise<T>;
  /**
   * Runs `work`, whose calls into the pool run one after the other, in the order in which they are made; null where more
   * threads than one may work, and nothing has been called then. Resolves to null when the order may have been lost.
   */
  inOrder<T>(work: () => Promise<T>): Promise<T | null> | null;
  /** Lets go of all threads, without waiting: a process whose threads are parked cannot end. */
  close(): void;
}

/**
 * libuv fixes the size of its pool when a process starts, and how fast a model decodes hangs on it. So the pool is as large
 * as may be of use, and what is not wanted is parked: a thread that waits costs nothing.
 * `size`: threads of the pool; `park`: keeps one thread from work until somebody lets it go, true, or until nobody can
 * do so any more, false; null where none can be kept from it, and all work whatever is wanted; `release`: asks for as many
 * to be let go.
 */
export function createThreadPool(deps: {
  size: number;
  park: (() => Promise<boolean>) | null;
  release: (threads: number) => void;
}): ThreadPool {
  const { size, park } = deps;
  let working = size;
  let parked = 0;
  let closed = false;
  let wake = () => {};
  /** Changes come one after the other. */
  let changed = Promise.resolve();
  let changes = 0;
  /** Calls that count on their order. */
  let ordered = Promise.resolve();

  const parkOne = (parkThread: () => Promise<boolean>) => {
    parked++;
    void parkThread().then((canPark) => {
      parked--;
      closed ||= !canPark;
      wake();
    });
  };
  const change = async (threads: number) => {
    if (park === null) return;
    working = Math.max(1, Math.min(size, threads));
    const wanted = size - working;
    while (!closed && parked < wanted) parkOne(park);
    if (closed || parked <= wanted) return;
    await ordered;
    deps.release(parked - wanted);
    while (parked > wanted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const use = (threads: number) => {
    changes++;
    changed = changed
      .then(() => change(threads))
      .finally(() => {
        changes--;
      });
    return changed;
  };
  /** A thread is parked from the moment in which that is asked for: what is asked for later comes behind it. */
  const isSingle = () => size === 1 || (!closed && parked === size - 1);
  return {
    use,
    async within(threads, work) {
      const before = working;
      await use(threads);
      try {
        return await work();
      } finally {
        await use(before);
      }
    },
    inOrder(work) {
      if (changes > 0 || !isSingle()) return null;
      const result = work();
      ordered = result.then(ignore, ignore);
      // A server that ends lets the threads go by itself; a thread tells that before it takes up anything else.
      return result.then((value) => (isSingle() ? value : null));
    },
    close() {
      closed = true;
      if (parked > 0) deps.release(parked);
    },
  };
}

/**
 * Parks a thread in a read of one byte from `gate`, a pipe whose other end the server holds: it writes a byte for each
 * thread that is to go on, and its end, orderly or not, lets all of them go.
 */
export function parkAt(gate: number): Promise<boolean> {
  return new Promise((resolve) => {
    read(gate, Buffer.alloc(1), 0, 1, null, (error, bytes) => resolve(error === null && bytes === 1));
  });
}

function ignore(): void {}
