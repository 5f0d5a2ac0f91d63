import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Limited, Limits, SlidingLimits } from '../../src/gateway/sliding-limits.ts';
import type { ManualClock } from '../support/manual-clock.ts';

/** Limits under test that nobody else uses; time passes by `clock` alone. */
export interface LimitsUnderTest {
  limits: SlidingLimits;
  clock: ManualClock;
  /** How much longer than its window something may count. */
  sliceMs: { minute: number; day: number };
  /** Resolves when all that was settled counts. */
  settled(): Promise<void>;
  dispose(): Promise<void>;
}

const none: Limits = { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null };
const limited = (id: string, limits: Partial<Limits>): Limited => ({ id, limits: { ...none, ...limits } });

/** What `SlidingLimits` promises, asked of every implementation. */
export function runLimitsContract(name: string, open: () => Promise<LimitsUnderTest>): void {
  describe(`limits counted in ${name}`, () => {
    let test: LimitsUnderTest;
    let limits: SlidingLimits;
    let clock: ManualClock;
    beforeEach(async () => {
      test = await open();
      ({ limits, clock } = test);
    });
    afterEach(() => test.dispose());

    const isTaken = async (all: readonly Limited[], tokens = 0) => 'taken' in (await limits.take(all, tokens));
    const countOf = async (of: Limited, times: number) =>
      (await Promise.all(Array.from({ length: times }, () => isTaken([of])))).filter(Boolean).length;

    it('let through as many as they say, of many that come at once', async () => {
      expect(await countOf(limited('a', { requestsPerMinute: 7 }), 50)).toBe(7);
      expect(await countOf(limited('b', { requestsPerDay: 5 }), 20)).toBe(5);
    });

    it('tell when there is room, and then there is', async () => {
      const a = limited('a', { requestsPerMinute: 2, requestsPerDay: 3 });
      await limits.take([a], 0);
      clock.advance(10_000);
      await limits.take([a], 0);
      const refused = await limits.take([a], 0);
      if (!('shortage' in refused)) throw new Error('it was let through');
      expect(refused.shortage).toMatchObject({ of: a, dimension: 'requestsPerMinute', limit: 2 });
      const { retryMs } = refused.shortage;
      expect(retryMs).toBeGreaterThanOrEqual(50_000);
      expect(retryMs).toBeLessThanOrEqual(50_000 + test.sliceMs.minute);
      clock.advance(retryMs);
      expect(await isTaken([a])).toBe(true);
      // The day is full now, and its wait the longer one.
      const ofDay = await limits.take([a], 0);
      if (!('shortage' in ofDay)) throw new Error('it was let through');
      expect(ofDay.shortage.retryMs).toBeGreaterThan(86_000_000);
      clock.advance(ofDay.shortage.retryMs);
      expect(await isTaken([a])).toBe(true);
    });

    it('take of all or of none', async () => {
      const [a, b] = [
        limited('a', { requestsPerMinute: 1 }),
        limited('b', { requestsPerMinute: 2, tokensPerMinute: 9 }),
      ];
      expect(await isTaken([a, b], 3)).toBe(true);
      expect(await isTaken([a, b], 3)).toBe(false);
      expect(await isTaken([b, a], 3)).toBe(false);
      // Had a refused one counted, there were none left.
      expect(await isTaken([b], 6)).toBe(true);
      expect(await isTaken([b], 0)).toBe(false);
    });

    it('let no more through in any window, however requests come', async () => {
      const a = limited('a', { requestsPerMinute: 5 });
      const at: number[] = [];
      // A fixed sequence of steps from 0 to 19 s that repeats late.
      for (let step = 1, count = 0; count < 200; count++) {
        step = (step * 48_271) % 2_147_483_647;
        clock.advance(step % 20_000);
        if (await isTaken([a])) at.push(clock.monotonicMs());
      }
      const most = Math.max(...at.map((end) => at.filter((one) => one <= end && one > end - 60_000).length));
      expect(most).toBe(5);
    });

    it('hold an estimate of the tokens until it is known what they were', async () => {
      const a = limited('a', { tokensPerMinute: 100, requestsPerMinute: 10 });
      const first = await limits.take([a], 80);
      expect(await isTaken([a], 30)).toBe(false);
      if ('taken' in first) first.taken.settle({ requests: 1, tokens: 20 });
      await test.settled();
      expect(await isTaken([a], 80)).toBe(true);
      expect(await isTaken([a], 1)).toBe(false);
      // The last word counts.
      if ('taken' in first) first.taken.settle({ requests: 0, tokens: 0 });
      await test.settled();
      expect(await isTaken([a], 20)).toBe(true);
      await limits.refresh([a]);
      expect(limits.status(a)).toMatchObject({
        tokensPerMinute: { limit: 100, remaining: 0 },
        requestsPerMinute: { limit: 10, remaining: 8 },
      });
    });

    it('take all of a limit for a request that is larger', async () => {
      const a = limited('a', { tokensPerMinute: 100 });
      expect(await isTaken([a], 5_000)).toBe(true);
      expect(await isTaken([a], 1)).toBe(false);
    });

    it('say what is left, and until when', async () => {
      const a = limited('a', { requestsPerMinute: 3 });
      expect(limits.status(a).requestsPerMinute).toEqual({ limit: 3, remaining: 3, resetMs: 0 });
      await limits.take([a], 0);
      const { remaining, resetMs } = limits.status(a).requestsPerMinute!;
      expect(remaining).toBe(2);
      expect(resetMs).toBeGreaterThanOrEqual(60_000);
      expect(resetMs).toBeLessThanOrEqual(60_000 + test.sliceMs.minute);
      clock.advance(resetMs);
      expect(limits.status(a).requestsPerMinute).toEqual({ limit: 3, remaining: 3, resetMs: 0 });
    });

    it('begin anew when they are told to', async () => {
      const a = limited('a', { requestsPerMinute: 1 });
      await limits.take([a], 0);
      await limits.reset('a');
      expect(limits.status(a).requestsPerMinute!.remaining).toBe(1);
      expect(await isTaken([a])).toBe(true);
      expect(await isTaken([a])).toBe(false);
    });
  });
}
