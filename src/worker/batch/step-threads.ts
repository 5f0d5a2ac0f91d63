/** How many threads the steps of this worker run with: those that read a prompt may use more than those that only decode. */
export interface StepThreads {
  /** What the server grants from now on; the step under way keeps its own. */
  grant(counts: { decode: number; prefill: number }): void;
  /** To be called before each step. */
  use(kind: StepKind): void;
  /** Runs `work` with another count, whatever is granted. */
  within<T>(threads: number, work: () => Promise<T>): Promise<T>;
}

type StepKind = 'decode' | 'prefill';

/** `apply`: takes a count over for the next decode call; it is only called when the count changes. */
export function createStepThreads(deps: { threads: number; apply: (threads: number) => void }): StepThreads {
  let granted = { decode: deps.threads, prefill: deps.threads };
  let applied = deps.threads;
  const apply = (threads: number) => {
    if (threads === applied) return;
    applied = threads;
    deps.apply(threads);
  };
  return {
    grant(counts) {
      granted = counts;
    },
    use: (kind) => apply(granted[kind]),
    // Nothing is put back: the next step says what it wants.
    within(threads, work) {
      apply(threads);
      return work();
    },
  };
}
