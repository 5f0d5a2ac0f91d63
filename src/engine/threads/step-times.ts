/** Knows how long the steps of each model usually take, and how much longer they take now. */
interface StepTimes {
  /** `tokens`: all tokens of the step; steps of similar size are compared with each other. */
  observe(model: string, milliseconds: number, threads: number, tokens: number): void;
  /** Steps seen since the last `settle`. */
  readonly observed: number;
  /** Median over those steps of their time against the usual one; null: none of them has a usual time yet. */
  slowdown(): number | null;
  /** Begins the next interval. `learn`: whether the steps of this one tell what is usual. */
  settle(learn: boolean): void;
  forget(model: string): void;
  forgetAll(): void;
}

/** The usual time is the median of this many steps. */
const windowSteps = 64;
/** Fewer say nothing: the first steps after a load wait for pages of the file. */
const minSteps = 8;
/** More in one interval add nothing; a tiny model makes hundreds of steps in a second. */
const maxPendingSteps = 1024;

interface Step {
  model: string;
  milliseconds: number;
  threads: number;
  size: number;
}

/** Steps of one model, one thread count and one size. */
interface Kind {
  threads: number;
  size: number;
  /** A ring of the latest times. */
  times: number[];
  next: number;
}

export function createStepTimes(): StepTimes {
  const kinds = new Map<string, Kind[]>();
  let pending: Step[] = [];

  const usual = (step: Step): number | null => {
    let least: number | null = null;
    for (const kind of kinds.get(step.model) ?? []) {
      if (kind.size !== step.size || kind.times.length < minSteps) continue;
      const time = median(kind.times);
      if (kind.threads === step.threads) return time;
      // From another thread count: fewer threads may take longer in proportion, more threads never do.
      const bound = time * Math.max(1, kind.threads / step.threads);
      least = Math.min(least ?? bound, bound);
    }
    return least;
  };

  const learnStep = (step: Step) => {
    const known = kinds.get(step.model) ?? [];
    kinds.set(step.model, known);
    let kind = known.find((each) => each.threads === step.threads && each.size === step.size);
    if (!kind) {
      kind = { threads: step.threads, size: step.size, times: [], next: 0 };
      known.push(kind);
    }
    kind.times[kind.next] = step.milliseconds;
    kind.next = (kind.next + 1) % windowSteps;
  };

  return {
    observe(model, milliseconds, threads, tokens) {
      if (pending.length >= maxPendingSteps || !(milliseconds > 0)) return;
      // Time grows with the tokens, but not in proportion: sizes within a factor of two count as the same.
      pending.push({ model, milliseconds, threads, size: Math.floor(Math.log2(Math.max(1, tokens))) });
    },
    get observed() {
      return pending.length;
    },
    slowdown() {
      const usualTimes = new Map<string, number | null>();
      const ratios: number[] = [];
      for (const step of pending) {
        const key = `${step.threads} ${step.size} ${step.model}`;
        let time = usualTimes.get(key);
        if (time === undefined) {
          time = usual(step);
          usualTimes.set(key, time);
        }
        if (time !== null) ratios.push(step.milliseconds / time);
      }
      return ratios.length === 0 ? null : median(ratios);
    },
    settle(learn) {
      if (learn) for (const step of pending) learnStep(step);
      pending = [];
    },
    forget(model) {
      kinds.delete(model);
      pending = pending.filter((step) => step.model !== model);
    },
    forgetAll() {
      kinds.clear();
      pending = [];
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
}
