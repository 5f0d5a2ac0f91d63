import { expect, it } from 'vitest';
import { createMessageBudget } from '../../../../src/http/native/sockets/message-budget.ts';
import { manualClock } from '../../../support/manual-clock.ts';

it('lets as many messages through as the window allows, and more when time has passed', () => {
  const clock = manualClock();
  const withinBudget = createMessageBudget(clock, 2, 10_000);
  expect(withinBudget()).toBe(true);
  clock.advance(6_000);
  expect([withinBudget(), withinBudget()]).toEqual([true, false]);
  // The first is ten seconds old; the second is not.
  clock.advance(4_000);
  expect([withinBudget(), withinBudget()]).toEqual([true, false]);
});
