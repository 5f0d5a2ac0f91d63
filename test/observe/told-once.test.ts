import { expect, it } from 'vitest';
import { toldOnce } from '../../src/observe/told-once.ts';

it('a failure that comes again and again is told once, and anew after a success', async () => {
  const told: unknown[] = [];
  let failure: string | null = 'first';
  const act = toldOnce(
    async () => {
      if (failure !== null) throw failure;
    },
    (error) => told.push(error),
  );
  for (const next of ['first', 'second', null, 'third', 'fourth']) {
    failure = next;
    await act();
  }
  expect(told).toEqual(['first', 'third']);
});
