/** Shares the usable cores between the workers that decode now, so that together they never exceed them. */
export interface ThreadArbiter {
  /** Threads a model may use at most, whatever else runs; the limit of `setCores` does not count here. */
  limitFor(weightBytes: number): number;
  /** Registers a loaded model; `apply` is called with its thread count now and whenever it changes. */
  add(limit: number, apply: (threads: number) => void): ThreadShare;
  /** Divides fewer cores from now on, or all of them again: from 1 to the number at creation. */
  setCores(cores: number): void;
}

export interface ThreadShare {
  readonly threads: number;
  setBusy(busy: boolean): void;
  /** Replaces the model's own limit, when calibration has found that fewer threads are as fast. */
  setLimit(limit: number): void;
  remove(): void;
}

/** Below this size a second thread costs more in barriers than it computes. Source: measured on the 3 M model. */
const singleThreadWeightBytes = 32 * 1024 * 1024;

/** `cores`: what quota, affinity and hardware allow in all; at least 1. */
export function createThreadArbiter(cores: number): ThreadArbiter {
  interface Member {
    limit: number;
    busy: boolean;
    threads: number;
    apply: (threads: number) => void;
  }
  const members = new Set<Member>();
  let divided = cores;

  const resplit = () => {
    const busy = [...members].filter((member) => member.busy).length;
    for (const member of members) {
      // An idle model gets what it would have when it starts, so that it never begins oversubscribed.
      const sharers = member.busy ? busy : busy + 1;
      const threads = Math.max(1, Math.min(member.limit, Math.floor(divided / sharers)));
      if (threads === member.threads) continue;
      member.threads = threads;
      member.apply(threads);
    }
  };

  return {
    limitFor: (weightBytes) => (weightBytes < singleThreadWeightBytes ? 1 : Math.max(1, cores)),
    add(limit, apply) {
      const member: Member = { limit, busy: false, threads: 0, apply };
      members.add(member);
      resplit();
      return {
        get threads() {
          return member.threads;
        },
        setBusy(busy) {
          if (member.busy === busy) return;
          member.busy = busy;
          resplit();
        },
        setLimit(changed) {
          member.limit = changed;
          resplit();
        },
        remove() {
          members.delete(member);
          resplit();
        },
      };
    },
    setCores(changed) {
      divided = Math.max(1, Math.min(cores, changed));
      resplit();
    },
  };
}
