import { expect, it } from 'vitest';
import { createProgressGate } from '../../../src/store/pulls/progress-gate.ts';
import { manualClock } from '../../support/manual-clock.ts';

it('a burst of changes is told at its begin and at its end', () => {
  const clock = manualClock();
  const toldAtMs: number[] = [];
  const gate = createProgressGate(clock, () => toldAtMs.push(clock.monotonicMs()));
  for (let change = 0; change < 100; change++) {
    gate.changed();
    clock.advance(3);
  }
  clock.advance(10_000);
  expect(toldAtMs).toEqual([0, 250, 500]);
  gate.changed();
  gate.changed();
  gate.close();
  clock.advance(10_000);
  expect(toldAtMs).toEqual([0, 250, 500, 10_300]);
});
