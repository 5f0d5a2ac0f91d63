import { describe, expect, it } from 'vitest';
import { createDraftController } from '../../../../src/engine/worker/draft/controller.ts';

/**
 * Runs one slot on a machine where `k` tokens cost `cost(k)` ms, over text whose guesses come true with `rate`.
 * Returns milliseconds per token against plain steps.
 */
function run(
  cost: (tokens: number) => number,
  accepted: (proposed: number, step: number) => number,
  steps = 3_000,
): number {
  const controller = createDraftController();
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
});
