import { describe, expect, it } from 'vitest';
import { createDraftController } from '../../../src/worker/draft/controller.ts';

/**
 * Runs one slot on a machine where `k` tokens cost `cost(k)` ms, over text whose guesses come true with `rate`.
 * Returns milliseconds per token against plain steps.
 */
function run(
  cost: (tokens: number) => number,
  accepted: (proposed: number, step: number) => number,
  steps = 3_000,
  calibrated: readonly number[] | null = null,
): number {
  const controller = createDraftController();
  if (calibrated) controller.expect(calibrated);
  let spentMs = 0;
  let tokens = 0;
  for (let step = 0; step < steps; step++) {
    const proposed = controller.limit(1);
    const milliseconds = cost(1 + proposed);
    const generated = 1 + (proposed === 0 ? 0 : Math.min(proposed, accepted(proposed, step)));
    controller.observe({ milliseconds, active: 1, proposed, generated });
    spentMs += milliseconds;
    tokens += generated;
  }
  return spentMs / tokens / cost(1);
}

/** Measured on SmolLM2 135M: 2, 4, 8 tokens cost 1.55, 2.2, 4.4 times one. */
const smol = (tokens: number) => [0, 1, 1.55, 1.9, 2.2, 2.8, 3.3, 3.9, 4.4, 5][tokens]! * 8;

/** What calibration would have measured of it. */
const curve = (cost: (tokens: number) => number, length = 9) =>
  Array.from({ length }, (_, index) => cost(index + 1) / cost(1));

describe('deciding how far to guess ahead', () => {
  it('gains where guesses come true', () => {
    expect(run(smol, (proposed) => proposed)).toBeLessThan(0.65);
  });

  it('loses next to nothing where they never do', () => {
    expect(run(smol, () => 0)).toBeLessThan(1.03);
  });

  it('goes on where every third guess is wrong and the others make up for it', () => {
    // As with forced text, whose first token now and then is another one than expected.
    expect(run(smol, (proposed, step) => (step % 3 < 2 ? proposed : 0))).toBeLessThan(0.95);
  });

  it('stays at plain speed where a guess costs what it brings', () => {
    expect(
      run(
        (tokens) => tokens * 8,
        (proposed) => proposed,
      ),
    ).toBeLessThan(1.03);
  });

  it('comes back when the text becomes repetitive later', () => {
    expect(run(smol, (proposed, step) => (step < 1_000 ? 0 : proposed), 6_000)).toBeLessThan(0.8);
  });

  it('keeps still while many slots work, and before it knows the price of a plain step', () => {
    const controller = createDraftController();
    expect(controller.limit(1)).toBe(0);
    controller.observe({ milliseconds: 8, active: 1, proposed: 0, generated: 1 });
    expect(controller.limit(1)).toBeGreaterThan(0);
    expect(controller.limit(3)).toBe(0);
  });

  describe('with what calibration has measured', () => {
    it('makes no guess at all where not even true ones pay', () => {
      const controller = createDraftController();
      controller.expect(Array.from({ length: 16 }, (_, index) => index + 1));
      controller.observe({ milliseconds: 8, active: 1, proposed: 0, generated: 1 });
      expect([controller.limit(1), controller.limit(2)]).toEqual([0, 0]);
    });

    it('guesses as far as pays best: short where more tokens soon cost more, long where they are cheap', () => {
      const limitAfter = (costs: number[], hits: number) => {
        const controller = createDraftController();
        controller.expect(costs);
        controller.observe({ milliseconds: 8, active: 1, proposed: 0, generated: 1 });
        for (let step = 0; step < 6; step++) {
          controller.observe({ milliseconds: 8, active: 1, proposed: 4, generated: 1 + hits });
        }
        return controller.limit(1);
      };
      const cheap = Array.from({ length: 16 }, (_, index) => 1 + index * 0.1);
      const dear = [1, 1.2, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 8.8];
      expect(limitAfter(cheap, 4)).toBe(8);
      expect(limitAfter(dear, 4)).toBe(1);
      expect(limitAfter(cheap, 1)).toBeLessThan(limitAfter(cheap, 3));
    });

    it('counts the rows of all slots: two of them leave room for shorter guesses only', () => {
      const controller = createDraftController();
      controller.expect([1, 1.1, 1.2, 1.3, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2, 4.4, 4.6]);
      controller.observe({ milliseconds: 8, active: 1, proposed: 0, generated: 1 });
      expect([controller.limit(1), controller.limit(2)]).toEqual([3, 1]);
    });

    it('gains as much as without it, and loses as little', () => {
      const costs = curve(smol);
      expect(run(smol, (proposed) => proposed, 3_000, costs)).toBeLessThan(0.6);
      expect(run(smol, () => 0, 3_000, costs)).toBeLessThan(1.03);
      expect(run(smol, (proposed, step) => (step % 3 < 2 ? proposed : 0), 3_000, costs)).toBeLessThan(0.95);
    });

    it('believes the time that steps take when that has become another one', () => {
      const dear = (tokens: number) => tokens * 8;
      expect(run(dear, (proposed) => proposed, 3_000, curve(smol))).toBeLessThan(1.03);
    });

    it('ignores a calibration that had no time for it', () => {
      const controller = createDraftController();
      controller.expect([1]);
      controller.observe({ milliseconds: 8, active: 1, proposed: 0, generated: 1 });
      expect(controller.limit(1)).toBeGreaterThan(0);
    });
  });
});
