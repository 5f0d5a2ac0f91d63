import { describe, expect, it } from 'vitest';
import { createContentionWatch } from '../../../src/engine/threads/contention.ts';
import { manualClock } from '../../support/manual-clock.ts';

interface Machine {
  cores: number;
  /** What the kernel tells beside nothing. */
  tells: ('psi' | 'stat')[];
  /** Time of a step on one thread, at a second of the simulation. */
  stepMs: (second: number) => number;
  /** Threads of others that want to run all the time. */
  others: (second: number) => number;
  decoding: (second: number) => boolean;
}

const quiet: Machine = {
  cores: 2,
  tells: ['psi', 'stat'],
  stepMs: () => 80,
  others: () => 0,
  decoding: () => true,
};
const during = (from: number, to: number, value: number) => (second: number) =>
  second >= from && second < to ? value : 0;

/** Runs a machine; gives the changes of the limit with their seconds, and the share of time that was collapsed. */
function simulate(overrides: Partial<Machine>, seconds: number) {
  const machine = { ...quiet, ...overrides };
  const clock = manualClock();
  const totals = { waitingUs: 0, idleTicks: 0, ticks: 0 };
  const changes: { second: number; limit: number; reason: string }[] = [];
  const second = () => clock.monotonicMs() / 1_000;
  const watch = createContentionWatch({
    readFile(path) {
      if (path === '/proc/pressure/cpu' && machine.tells.includes('psi')) {
        return `some avg10=0.00 avg60=0.00 avg300=0.00 total=${Math.round(totals.waitingUs)}\n`;
      }
      if (path === '/proc/stat' && machine.tells.includes('stat')) {
        const lines = Array.from({ length: machine.cores }, (_, index) => `cpu${index} 0 0 0 0 0 0 0 0 0 0`);
        const idle = Math.round(totals.idleTicks);
        return [`cpu  ${Math.round(totals.ticks) - idle} 0 0 ${idle} 0 0 0 0 0 0`, ...lines].join('\n');
      }
      return null;
    },
    clock,
    cores: machine.cores,
    onLimit: (limit, reason) => changes.push({ second: Math.round(second()), limit, reason }),
  });

  const tickMs = 100;
  let doneMs = 0;
  let collapsedMs = 0;
  let decodedMs = 0;
  while (second() < seconds) {
    const threads = machine.decoding(second()) ? watch.limit : 0;
    const wanted = threads + machine.others(second());
    const crowded = wanted > machine.cores;
    totals.waitingUs += tickMs * 1_000 * (crowded ? 0.98 : 0.2);
    totals.ticks += (tickMs / 10) * machine.cores;
    totals.idleTicks += (tickMs / 10) * Math.max(0, machine.cores - wanted);
    // Threads that wait for each other at barriers collapse when one of them has no processor; one alone only shares.
    const factor = !crowded ? 1 : threads > 1 ? 10 : wanted / machine.cores;
    if (threads > 0) {
      decodedMs += tickMs;
      if (factor > 3) collapsedMs += tickMs;
      const stepMs = (machine.stepMs(second()) / threads) * factor;
      for (doneMs += tickMs; doneMs >= stepMs; doneMs -= stepMs) watch.observeStep('m', stepMs, threads);
    }
    clock.advance(tickMs);
  }
  return { changes, limit: watch.limit, collapsedShare: collapsedMs / decodedMs, watch, clock };
}

describe('the watch', () => {
  it('leaves a machine alone that only we saturate', () => {
    expect(simulate({}, 600).changes).toEqual([]);
    expect(simulate({ tells: [] }, 600).changes).toEqual([]);
  });

  it('gives a thread to others within ten seconds and takes it back within ten of their leaving', () => {
    const { changes } = simulate({ others: during(60, 180, 1) }, 300);
    expect(changes.map(({ limit }) => limit)).toEqual([1, 2]);
    expect(changes[0]!.second).toBeGreaterThanOrEqual(64);
    expect(changes[0]!.second).toBeLessThanOrEqual(70);
    expect(changes[0]!.reason).toContain('times as long as usual');
    // No processor is idle while the others are there, so nothing is tried before they leave.
    expect(changes[1]!.second).toBeGreaterThanOrEqual(184);
    expect(changes[1]!.second).toBeLessThanOrEqual(190);
  });

  it.each([21, 23.1, 25, 31.7])('takes a thread back within ten seconds of a burst of %s s', (seconds) => {
    const { changes } = simulate({ others: during(60.3, 60.3 + seconds, 2) }, 200);
    expect(changes.map(({ limit }) => limit)).toEqual([1, 2]);
    expect(changes[1]!.second).toBeLessThanOrEqual(60.3 + seconds + 10);
  });

  it.each([
    [8, 12],
    [10, 10],
    [12, 20],
  ])('does not go to and fro with a neighbour that comes for %s s and goes for %s', (there, away) => {
    const others = (second: number) => (second % (there + away) < there ? 2 : 0);
    const { changes, collapsedShare } = simulate({ others }, 3_600);
    // Tries after 6, 12, 24, 48 seconds of room and so on, and then every eight minutes.
    expect(changes.length).toBeLessThanOrEqual(2 * (4 + 8) + 1);
    expect(collapsedShare).toBeLessThan(0.06);
  });

  it('gives as many threads as others need', () => {
    const { changes } = simulate({ cores: 4, others: during(60, 180, 3) }, 500);
    expect(changes.map(({ limit }) => limit)).toEqual([3, 2, 1, 2, 3, 4]);
    expect(changes[2]!.second).toBeLessThanOrEqual(90);
  });

  it('sees others that were there before the model', () => {
    const { changes } = simulate({ others: () => 1 }, 60);
    expect(changes.map(({ limit }) => limit)).toEqual([1]);
    expect(changes[0]!.second).toBeLessThanOrEqual(10);
  });

  it('does not mind what others do while nothing decodes', () => {
    expect(simulate({ others: () => 4, decoding: () => false }, 300).changes).toEqual([]);
  });

  it('waits with the thread until there is room, even while nothing decodes', () => {
    const busy = (second: number) => second < 100 || second > 400;
    const { changes } = simulate({ others: during(60, 300, 1), decoding: busy }, 420);
    expect(changes.map(({ limit }) => limit)).toEqual([1, 2]);
    expect(changes[1]!.second).toBeGreaterThanOrEqual(304);
  });

  it('keeps its threads when steps become longer by themselves', () => {
    const stepMs = (second: number) => (second < 60 ? 80 : 400);
    expect(simulate({ stepMs }, 600).changes).toEqual([]);
  });

  it('works by step times alone where the kernel tells nothing, and seldom tries in vain', () => {
    const { changes, collapsedShare } = simulate({ tells: [], others: during(60, 3_660, 1) }, 4_200);
    expect(changes[0]).toMatchObject({ limit: 1 });
    expect(changes[0]!.second).toBeLessThanOrEqual(70);
    // Tries after 30, 60, 120, 240 and then every 480 seconds.
    expect(changes.filter(({ limit }) => limit === 2).length).toBeLessThanOrEqual(12);
    expect(collapsedShare).toBeLessThan(0.03);
    expect(changes.at(-1)!.limit).toBe(2);
  });

  it('finds out by step times alone that the steps are longer by themselves', () => {
    const stepMs = (second: number) => (second < 60 ? 80 : 400);
    const { changes } = simulate({ tells: [], cores: 4, stepMs }, 600);
    expect(changes.map(({ limit }) => limit)).toEqual([3, 2, 1, 4]);
    expect(changes.at(-1)!.second).toBeLessThanOrEqual(100);
  });

  it('holds a decision on steps that last longer than the interval', () => {
    const { changes } = simulate({ stepMs: () => 1_200, others: during(60, 240, 1) }, 400);
    expect(changes.map(({ limit }) => limit)).toEqual([1, 2]);
  });

  it('ends with close, and forgets a model that was unloaded', () => {
    const { watch, clock, changes } = simulate({ tells: [] }, 60);
    const slowSteps = () => {
      for (let interval = 0; interval < 10; interval++) {
        watch.observeStep('m', 4_000, 2);
        clock.advance(2_000);
      }
    };
    watch.forget('m');
    watch.observeStep('other', 40, 2);
    slowSteps();
    expect(changes).toEqual([]);
    watch.close();
    slowSteps();
    expect(changes).toEqual([]);
  });
});
