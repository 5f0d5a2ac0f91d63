import type { Bus } from '../../observe/bus.ts';

/** Tells the bus of the tokens of one request, with the time between the steps that made them. */
interface TokenGaps {
  /** A token was generated, in a step that ended then by the clock of its worker, of which only differences count. */
  token(stepEndedMs: number): void;
  /** What comes now is made by another worker, which has its own clock. */
  restart(): void;
}

export function createTokenGaps(bus: Pick<Bus, 'publish'>, model: string): TokenGaps {
  let lastMs: number | null = null;
  return {
    token(stepEndedMs) {
      bus.publish({ type: 'token', model, gapMs: lastMs === null ? null : stepEndedMs - lastMs });
      lastMs = stepEndedMs;
    },
    restart() {
      lastMs = null;
    },
  };
}
