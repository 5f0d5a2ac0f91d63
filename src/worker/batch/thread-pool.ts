import { read } from 'node:fs';

/** How many threads of libuv's pool work; decode calls and samplers run on them. */
export interface ThreadPool {
  /** From now on as many work, at least one, at most all; resolves when they do. */
  use(threads: number): Promise<void>;
  /** Runs `work` with another number of them, and then goes on with the one before. */
  within<T>(threads: number, work: () => Promise<T>): Promise<T>;
  /** Lets go of all threads, without waiting: a process whose threads are parked cannot end. */
  close(): void;
}

/**
 * libuv fixes the size of its pool when a process starts, and how fast a model decodes hangs on it. So the pool is as large
 * as may be of use, and what is not wanted is parked: a thread that waits costs nothing.
 * `size`: threads of the pool; `park`: keeps one thread from work until somebody lets it go, true, or until nobody can
 * do so any more, false; `release`: asks for as many to be let go.
 */
export function createThreadPool(deps: {
  size: number;
  park: () => Promise<boolean>;
  release: (threads: number) => void;
}): ThreadPool {
  const { size } = deps;
  let working = size;
  let parked = 0;
  let closed = false;
  let wake = () => {};
  /** Changes come one after the other. */
  let changed = Promise.resolve();

  const parkOne = () => {
    parked++;
    void deps.park().then((canPark) => {
      parked--;
      closed ||= !canPark;
      wake();
    });
  };
  const change = async (threads: number) => {
    working = Math.max(1, Math.min(size, threads));
    const wanted = size - working;
    while (!closed && parked < wanted) parkOne();
    if (closed || parked <= wanted) return;
    deps.release(parked - wanted);
    while (parked > wanted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const use = (threads: number) => {
    changed = changed.then(() => change(threads));
    return changed;
  };
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
