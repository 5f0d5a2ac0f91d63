import { describe, expect, it } from 'vitest';
import { createStepTimes } from '../../../src/engine/threads/step-times.ts';

/** Knows a model whose steps of one token take 10 ms on two threads. */
function trained() {
  const steps = createStepTimes();
  for (let count = 0; count < 20; count++) steps.observe('m', 10, 2, 1);
  steps.settle(true);
  return steps;
}

describe('step times', () => {
  it('are compared with the usual time of their model', () => {
    const steps = trained();
    for (const milliseconds of [40, 41, 500]) steps.observe('m', milliseconds, 2, 1);
    expect(steps.slowdown()).toBeCloseTo(4.1);
    steps.observe('other', 5_000, 2, 1);
    expect(steps.slowdown()).toBeCloseTo(4.1);
    expect(steps.observed).toBe(4);
  });

  it('say nothing before eight steps are known, nor without a step', () => {
    const steps = createStepTimes();
    expect(steps.slowdown()).toBeNull();
    for (let count = 0; count < 7; count++) steps.observe('m', 10, 2, 1);
    steps.settle(true);
    steps.observe('m', 99, 2, 1);
    expect(steps.slowdown()).toBeNull();
    steps.settle(true);
    steps.observe('m', 99, 2, 1);
    expect(steps.slowdown()).toBeCloseTo(9.9);
  });

  it('of a prompt chunk are not compared with those of a decode step', () => {
    const steps = trained();
    steps.observe('m', 400, 2, 64);
    expect(steps.slowdown()).toBeNull();
    steps.observe('m', 20, 2, 1);
    expect(steps.slowdown()).toBeCloseTo(2);
  });

  it('of another thread count are expected in proportion, and never shorter for fewer threads known', () => {
    const steps = trained();
    steps.observe('m', 20, 1, 1);
    expect(steps.slowdown()).toBeCloseTo(1);
    steps.settle(false);
    steps.observe('m', 20, 4, 1);
    expect(steps.slowdown()).toBeCloseTo(2);
  });

  it('under pressure do not become usual, others do', () => {
    const steps = trained();
    const slow = () => {
      for (let count = 0; count < 64; count++) steps.observe('m', 50, 2, 1);
    };
    slow();
    steps.settle(false);
    slow();
    expect(steps.slowdown()).toBeCloseTo(5);
    steps.settle(true);
    slow();
    expect(steps.slowdown()).toBeCloseTo(1);
  });

  it('can be forgotten, of one model or of all', () => {
    const steps = trained();
    steps.observe('m', 20, 2, 1);
    steps.forget('m');
    expect(steps.observed).toBe(0);
    steps.observe('m', 20, 2, 1);
    expect(steps.slowdown()).toBeNull();
    const others = trained();
    others.forgetAll();
    others.observe('m', 20, 2, 1);
    expect(others.slowdown()).toBeNull();
  });

  it('that cannot be are left out', () => {
    const steps = trained();
    for (const milliseconds of [0, -1, Number.NaN]) steps.observe('m', milliseconds, 2, 1);
    expect(steps.observed).toBe(0);
  });
});
