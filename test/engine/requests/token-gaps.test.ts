import { describe, expect, it } from 'vitest';
import { createTokenGaps } from '../../../src/engine/requests/token-gaps.ts';
import type { AppEvent } from '../../../src/observe/bus.ts';

function setup() {
  const events: AppEvent[] = [];
  const gaps = createTokenGaps({ publish: (event) => events.push(event) }, 'm');
  return { gaps, gapsMs: () => events.map((event) => (event.type === 'token' ? event.gapMs : event)) };
}

describe('the times between tokens', () => {
  it('are those of the steps that made them, however late and together they are told', () => {
    const { gaps, gapsMs } = setup();
    for (const stepEndedMs of [5_000, 5_008, 5_018, 5_030]) gaps.token(stepEndedMs);
    expect(gapsMs()).toEqual([null, 8, 10, 12]);
  });

  it('do not mix the clocks of two workers when the first one died', () => {
    const { gaps, gapsMs } = setup();
    gaps.token(9_000);
    gaps.restart();
    gaps.token(20);
    gaps.token(32);
    expect(gapsMs()).toEqual([null, null, 12]);
  });
});
