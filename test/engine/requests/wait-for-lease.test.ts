import { describe, expect, it } from 'vitest';
import { waitForLease } from '../../../src/engine/requests/wait-for-lease.ts';
import type { Lease, OnPlace } from '../../../src/engine/residents/residents.ts';
import { settle } from '../../support/fake-worker.ts';

function setup() {
  const asked = Promise.withResolvers<Lease>();
  let tell: OnPlace = () => {};
  let released = 0;
  const lease = { release: () => void released++ } as Lease;
  const waiting = waitForLease((onPlace) => {
    tell = onPlace;
    return asked.promise;
  });
  return { waiting, asked, lease, tell: (...place: Parameters<OnPlace>) => tell(...place), released: () => released };
}

describe('waiting for a lease', () => {
  it('is over at once when there is one', async () => {
    const { waiting, asked, lease } = setup();
    asked.resolve(lease);
    expect(await waiting.next()).toEqual({ done: true, value: lease });
  });

  it('tells the latest place in the queue, and gives the lease when it comes', async () => {
    const { waiting, asked, lease, tell, released } = setup();
    const first = waiting.next();
    await settle();
    tell(3, null);
    expect(await first).toEqual({
      done: false,
      value: { type: 'progress', stage: 'queued', place: 3, estimateMs: null },
    });
    tell(2, 500);
    tell(1, 250);
    expect((await waiting.next()).value).toMatchObject({ place: 1, estimateMs: 250 });
    const last = waiting.next();
    asked.resolve(lease);
    expect(await last).toEqual({ done: true, value: lease });
    expect(released()).toBe(0);
  });

  it('throws why there is none', async () => {
    const { waiting, asked } = setup();
    const first = waiting.next();
    asked.reject(new Error('queue full'));
    await expect(first).rejects.toThrow('queue full');
  });

  it('gives back a lease for which nobody waits any more', async () => {
    const { waiting, asked, lease, tell, released } = setup();
    const first = waiting.next();
    await settle();
    tell(1, null);
    await first;
    await waiting.return(lease);
    asked.resolve(lease);
    await settle();
    expect(released()).toBe(1);
  });
});
