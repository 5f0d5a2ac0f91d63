import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  type ContentionReading,
  decideLimit,
  initialLimit,
  type LimitState,
} from '../../../src/engine/threads/limit.ts';

const calm: ContentionReading = {
  intervalMs: 2_000,
  busy: true,
  slowdown: 1,
  waitingShare: 0.1,
  frozenCores: 0,
  idleCores: null,
};
const strained: ContentionReading = { ...calm, slowdown: 8, waitingShare: 0.9 };
const idle: ContentionReading = { ...calm, busy: false, slowdown: null };

/** The limits after each of the readings. */
function run(state: LimitState, readings: ContentionReading[]) {
  const limits: number[] = [];
  let current = state;
  for (const reading of readings) {
    current = decideLimit(current, reading).state;
    limits.push(current.limit);
  }
  return { state: current, limits };
}
const times = (count: number, reading: ContentionReading) => Array.from({ length: count }, () => reading);

describe('strain', () => {
  test.each<[string, Partial<ContentionReading>, boolean]>([
    ['steps eight times as slow while others wait', { slowdown: 8, waitingShare: 0.9 }, true],
    ['steps three times as slow and some waiting', { slowdown: 3, waitingShare: 0.3 }, true],
    ['steps half as slow again and much waiting', { slowdown: 1.5, waitingShare: 0.4 }, true],
    ['slow steps, but nobody waits: the work has grown', { slowdown: 8, waitingShare: 0.1 }, false],
    ['much waiting, but steps as fast as ever', { slowdown: 1.1, waitingShare: 0.95 }, false],
    ['what we cause ourselves', { slowdown: 1.4, waitingShare: 0.35 }, false],
    ['steps three times as slow, no PSI', { slowdown: 3, waitingShare: null }, true],
    ['steps twice as slow, no PSI', { slowdown: 2, waitingShare: null }, false],
    ['no usual time yet, and constant waiting', { slowdown: null, waitingShare: 0.8 }, true],
    ['no usual time yet, and some waiting', { slowdown: null, waitingShare: 0.5 }, false],
    ['no usual time and no PSI', { slowdown: null, waitingShare: null }, false],
    ['half a core frozen by the quota', { frozenCores: 0.5 }, true],
    ['a little frozen', { frozenCores: 0.4 }, false],
    [
      'anything while none of our threads runs',
      { busy: false, slowdown: null, waitingShare: 1, frozenCores: 2 },
      false,
    ],
  ])('%s', (_title, reading, expected) => {
    const decision = decideLimit(initialLimit(4), { ...calm, ...reading });
    expect(decision.strained).toBe(expected);
    expect(run(initialLimit(4), times(3, { ...calm, ...reading })).limits).toEqual([4, 4, expected ? 3 : 4]);
  });

  it('costs one thread after three readings in a row, not after three in all', () => {
    expect(run(initialLimit(4), [strained, strained, calm, strained, strained]).limits).toEqual([4, 4, 4, 4, 4]);
    expect(run(initialLimit(4), times(6, strained)).limits).toEqual([4, 4, 3, 3, 3, 2]);
  });

  it('counts across intervals that are shorter than a step', () => {
    const between = times(4, idle);
    expect(run(initialLimit(2), [strained, ...between, strained, ...between, strained]).limits.at(-1)).toBe(1);
  });

  it('names its reason', () => {
    const { state } = run(initialLimit(2), times(2, strained));
    expect(decideLimit(state, strained).change).toEqual({
      limit: 1,
      reason: 'steps take 8.0 times as long as usual, something waits for a processor 90 % of the time',
      relearn: false,
    });
    const frozen = { ...calm, frozenCores: 1.25 };
    const throttled = run(initialLimit(4), times(2, frozen)).state;
    expect(decideLimit(throttled, frozen).change?.reason).toBe('the CPU quota keeps 1.3 cores frozen');
  });

  it('never takes the last thread', () => {
    expect(run(initialLimit(2), times(50, strained)).limits.at(-1)).toBe(1);
    expect(run(initialLimit(1), times(50, strained)).limits.every((limit) => limit === 1)).toBe(true);
  });
});

describe('calm', () => {
  const dropped = run(initialLimit(4), times(6, strained)).state;

  it('gives one thread back after thirty seconds where nothing tells of idle processors', () => {
    const { limits } = run(dropped, times(30, calm));
    expect(limits.indexOf(3)).toBe(14);
    expect(limits.indexOf(4)).toBe(29);
    expect(run(dropped, times(100, calm)).limits.at(-1)).toBe(4);
  });

  it('gives one back after three readings that show an idle processor for it', () => {
    const { limits } = run(dropped, times(6, { ...calm, idleCores: 1 }));
    expect(limits).toEqual([2, 2, 3, 3, 3, 4]);
  });

  it('begins anew after one reading of strain', () => {
    expect(run(dropped, [...times(14, calm), strained, ...times(14, calm)]).limits.at(-1)).toBe(2);
  });

  it('needs an idle processor for the thread where the machine tells of them', () => {
    expect(run(dropped, times(30, { ...calm, idleCores: 0.1 })).limits.at(-1)).toBe(2);
    expect(run(dropped, times(30, { ...calm, idleCores: 1 })).limits.at(-1)).toBe(4);
    // Two of our threads would come back to where it is idle now.
    expect(run(dropped, times(15, { ...idle, idleCores: 2.1 })).limits.at(-1)).toBe(2);
    expect(run(dropped, times(15, { ...idle, idleCores: 2.5 })).limits.at(-1)).toBe(3);
  });

  it('tries without a visible idle processor after eight minutes', () => {
    const { limits } = run(dropped, times(240, { ...calm, idleCores: 0 }));
    expect(limits.indexOf(3)).toBe(239);
  });

  it('waits twice as long when the thread given back had to go again, up to eight minutes', () => {
    const waits: number[] = [];
    let state = run(initialLimit(2), times(3, strained)).state;
    for (let cycle = 0; cycle < 6; cycle++) {
      const { limits } = run(state, times(300, calm));
      const until = limits.indexOf(2) + 1;
      waits.push(until * 2);
      state = run(run(state, times(until, calm)).state, times(3, strained)).state;
      expect(state.limit).toBe(1);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 480]);
  });

  it('is as quick as ever again once a thread given back has worked for a minute', () => {
    const cycle = [...times(15, calm), ...times(3, strained)];
    const impatient = run(run(initialLimit(2), times(3, strained)).state, cycle).state;
    expect(impatient.patience).toBe(2);
    const proved = run(impatient, times(60, calm)).state;
    expect(proved).toMatchObject({ limit: 2, patience: 1 });
    // A minute of idling proves nothing.
    const rested = run(impatient, [...times(30, calm), ...times(60, idle), ...times(3, strained)]).state;
    expect(rested).toMatchObject({ limit: 1, patience: 4 });
  });
});

describe('without a sure sign', () => {
  const slow = (slowdown: number): ContentionReading => ({ ...calm, waitingShare: null, slowdown });

  it('keeps a drop that made the steps faster', () => {
    const { limits, state } = run(initialLimit(2), [...times(3, slow(10)), ...times(5, slow(1))]);
    expect(limits.at(-1)).toBe(1);
    expect(state.trial).toBeNull();
  });

  it('takes back drops that did not, and has the usual times learned anew', () => {
    let { state } = run(initialLimit(2), times(3, slow(4)));
    expect(state.limit).toBe(1);
    state = run(state, times(2, slow(3.6))).state;
    const decision = decideLimit(state, slow(3.6));
    expect(decision.change).toMatchObject({ limit: 2, relearn: true });
    expect(decision.state.trial).toBeNull();
  });

  it('doubts step times also where PSI is undecided, not where it is sure', () => {
    const undecided = { ...calm, slowdown: 4, waitingShare: 0.5 };
    const { state } = run(initialLimit(2), times(3, undecided));
    expect(run(state, times(3, undecided)).limits.at(-1)).toBe(2);
    expect(run(run(initialLimit(2), times(3, strained)).state, times(3, strained)).limits.at(-1)).toBe(1);
  });

  it('judges a descent of several threads by its beginning', () => {
    const { limits } = run(initialLimit(4), [...times(3, slow(10)), ...times(3, slow(8)), ...times(3, slow(5))]);
    expect(limits).toEqual([4, 4, 3, 3, 3, 2, 2, 2, 1]);
    const { state } = run(initialLimit(4), [...times(9, slow(10)), ...times(3, slow(1.5))]);
    expect(state).toMatchObject({ limit: 1, trial: null });
  });
});

test('whatever is read, the limit stays between one and the cores and moves one at a time, or back to them', () => {
  const reading = fc.record<ContentionReading>({
    intervalMs: fc.integer({ min: 1, max: 60_000 }),
    busy: fc.boolean(),
    slowdown: fc.option(fc.double({ min: 0.01, max: 100, noNaN: true })),
    waitingShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    frozenCores: fc.double({ min: 0, max: 4, noNaN: true }),
    idleCores: fc.option(fc.double({ min: 0, max: 8, noNaN: true })),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(reading, { maxLength: 200 }), (cores, readings) => {
      let state = initialLimit(cores);
      for (const each of readings) {
        const { state: next, change } = decideLimit(state, each);
        expect(next.limit).toBeGreaterThanOrEqual(1);
        expect(next.limit).toBeLessThanOrEqual(cores);
        expect(change?.limit ?? state.limit).toBe(next.limit);
        if (!change?.relearn) expect(Math.abs(next.limit - state.limit)).toBe(change === null ? 0 : 1);
        state = next;
      }
    }),
    { numRuns: 200 },
  );
});
