import type { AppEvent, Bus } from '../../../observe/bus.ts';

/** What is measured of one model, or of all together. */
export interface Pace {
  tokensPerSecond: number;
  /** Of prompts, as they are read. */
  promptTokensPerSecond: number;
  /** From the arrival of the latest request to the first content of its answer; null: none came so far. */
  firstTokenMs: number | null;
}

/** Counts what models of this machine do, for as long as somebody watches. */
export interface Meter {
  /** Ends a stretch of that length, and counts a new one. */
  turn(elapsedMs: number): void;
  all(): Pace;
  of(model: string): Pace;
  /** Whether the ledger, or the batches, may say something else than when this was asked last. */
  hasSpent(): boolean;
  hasWorked(): boolean;
  close(): void;
}

/** Stretches that a pace is the mean of: single steps of a slow model come seconds apart. */
const stretches = 3;
const everything = '';

interface Counts {
  elapsedMs: number;
  tokens: Map<string, number>;
  promptTokens: Map<string, number>;
}

export function createMeter(bus: Pick<Bus, 'subscribe'>): Meter {
  let now: Counts = emptyCounts();
  let past: Counts[] = [];
  const firstTokenMs = new Map<string, number>();
  let spent = true;
  let worked = true;
  const count = (counts: Map<string, number>, model: string, tokens: number) => {
    for (const key of [model, everything]) counts.set(key, (counts.get(key) ?? 0) + tokens);
  };
  const close = bus.subscribe((event: AppEvent) => {
    if (event.type === 'token') count(now.tokens, event.model, 1);
    else if (event.type === 'step') count(now.promptTokens, event.model, event.promptTokens);
    else if (event.type === 'prompt-evaluated') count(now.promptTokens, event.model, event.tokens);
    else if (event.type === 'attempt-settled' || event.type === 'request-ended') spent = true;
    else if (event.type === 'batch-item-ended') worked = true;
    else if (event.type === 'request-first-token') {
      firstTokenMs.set(event.model, event.latencyMs).set(everything, event.latencyMs);
    }
  });
  const paceOf = (key: string): Pace => {
    const elapsedMs = past.reduce((sum, stretch) => sum + stretch.elapsedMs, 0);
    const perSecond = (of: (counts: Counts) => Map<string, number>) => {
      const tokens = past.reduce((sum, stretch) => sum + (of(stretch).get(key) ?? 0), 0);
      return elapsedMs === 0 ? 0 : Math.round((tokens / elapsedMs) * 10_000) / 10;
    };
    return {
      tokensPerSecond: perSecond(({ tokens }) => tokens),
      promptTokensPerSecond: perSecond(({ promptTokens }) => promptTokens),
      firstTokenMs: firstTokenMs.get(key) ?? null,
    };
  };
  return {
    turn(elapsedMs) {
      past = [...past, { ...now, elapsedMs }].slice(-stretches);
      now = emptyCounts();
    },
    all: () => paceOf(everything),
    of: paceOf,
    hasSpent() {
      const was = spent;
      spent = false;
      return was;
    },
    hasWorked() {
      const was = worked;
      worked = false;
      return was;
    },
    close,
  };
}

function emptyCounts(): Counts {
  return { elapsedMs: 0, tokens: new Map(), promptTokens: new Map() };
}
