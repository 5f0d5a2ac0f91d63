import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { LoadOutcome } from '../../../src/engine/memory/plan.ts';
import { createLoadQueue, type Grant, gaveWay } from '../../../src/engine/residents/load-queue.ts';
import type { Occupant } from '../../../src/engine/residents/room.ts';
import { settle } from '../../support/fake-worker.ts';
import { anyPlan } from '../../support/plans.ts';

/** 1,000 bytes in all; `models` hold some of them, and what was granted holds the rest. */
function setup(
  models: Record<string, { bytes: number; state: Occupant['state']; usedAtMs?: number; isOfPeople?: boolean }> = {},
) {
  const present = new Map(Object.entries(models));
  const ended: string[] = [];
  const granted: string[] = [];
  const grants = new Map<string, Grant>();
  const failures = new Map<string, unknown>();
  const usedBytes = () => [...present.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const exits = new Map<string, PromiseWithResolvers<void>>();
  const queue = createLoadQueue({
    occupants: () => [...present].map(([id, { usedAtMs = 0, ...rest }]) => ({ id, usedAtMs, ...rest })),
    evict(id) {
      ended.push(id);
      present.get(id)!.state = 'leaving';
      const exit = Promise.withResolvers<void>();
      exits.set(id, exit);
      return exit.promise;
    },
    exitOf: (id) => exits.get(id)!.promise,
  });
  const planFor =
    (bytes: number) =>
    (reclaimableBytes: number): LoadOutcome =>
      bytes <= 1_000 - usedBytes() + reclaimableBytes
        ? anyPlan()
        : { type: 'refusal', neededBytes: bytes, availableBytes: 0, shortfallBytes: 1, nearest: null, message: '' };
  return {
    ended,
    granted,
    failures,
    queue,
    /** Asks for memory and holds it when it is granted. */
    async load(id: string, bytes: number, signal = new AbortController().signal, isBackground = false) {
      queue
        .enter(planFor(bytes), () => new AppError('insufficient_memory', id), signal, isBackground)
        .then(
          (grant) => {
            granted.push(id);
            grants.set(id, grant);
            present.set(id, { bytes, state: 'busy' });
          },
          (error: unknown) => failures.set(id, error),
        );
      await settle();
    },
    async done(id: string) {
      grants.get(id)![Symbol.dispose]();
      await settle();
    },
    async exit(id: string) {
      present.delete(id);
      exits.get(id)?.resolve();
      queue.roomChanged();
      await settle();
    },
    async idle(id: string) {
      present.get(id)!.state = 'idle';
      queue.roomChanged();
      await settle();
    },
  };
}

describe('the line of loads', () => {
  it('lets one load at a time have its memory, in the order they came', async () => {
    const { load, done, granted } = setup();
    await load('a', 100);
    await load('b', 100);
    await load('c', 100);
    expect(granted).toEqual(['a']);
    await done('a');
    expect(granted).toEqual(['a', 'b']);
    await done('a');
    expect(granted).toEqual(['a', 'b']);
    await done('b');
    expect(granted).toEqual(['a', 'b', 'c']);
  });

  it('ends as many idle models as needed, the longest unused first, and waits for each exit', async () => {
    const { load, exit, ended, granted } = setup({
      young: { bytes: 400, state: 'idle', usedAtMs: 9 },
      old: { bytes: 300, state: 'idle', usedAtMs: 1 },
      older: { bytes: 300, state: 'pinned', usedAtMs: 0 },
    });
    await load('a', 300);
    expect(ended).toEqual(['old']);
    expect(granted).toEqual([]);
    await exit('old');
    expect(granted).toEqual(['a']);
    expect(ended).toEqual(['old']);
  });

  it('lets a small model past a large one that waits for working models', async () => {
    const { load, done, idle, exit, granted, ended } = setup({ busy: { bytes: 600, state: 'busy' } });
    await load('large', 900);
    await load('small', 100);
    expect(granted).toEqual(['small']);
    await done('small');
    await exit('small');
    await idle('busy');
    expect(ended).toEqual(['busy']);
    await exit('busy');
    expect(granted).toEqual(['small', 'large']);
  });

  it('stands still after eight were let past, so that the large one gets its turn', async () => {
    const { load, done, exit, granted } = setup({ busy: { bytes: 600, state: 'busy' } });
    await load('large', 900);
    for (let index = 1; index <= 9; index++) {
      await load(`small-${index}`, 100);
      if (index === 9) break;
      await done(`small-${index}`);
      await exit(`small-${index}`);
    }
    expect(granted).toHaveLength(8);
    await exit('busy');
    expect(granted.at(-1)).toBe('large');
    await done('large');
    expect(granted.at(-1)).toBe('small-9');
  });

  it('refuses what could never fit, at the head of the line or behind it', async () => {
    const { load, failures } = setup({ busy: { bytes: 600, state: 'busy' } });
    await load('large', 900);
    await load('too-large', 1_100);
    expect(failures.get('too-large')).toMatchObject({ code: 'insufficient_memory' });
    expect(failures.has('large')).toBe(false);
  });

  it('lets those out of the line who do not want to wait any more, and goes on with the next', async () => {
    const { load, failures, granted } = setup({ busy: { bytes: 600, state: 'busy' } });
    const leaving = new AbortController();
    await load('large', 900, leaving.signal);
    for (let index = 0; index < 9; index++) await load(`next-${index}`, 10);
    leaving.abort(new AppError('shutting_down', 'now'));
    await settle();
    expect(failures.get('large')).toMatchObject({ code: 'shutting_down' });
    expect(granted).toEqual(['next-0']);
    await load('late', 10, leaving.signal);
    expect(failures.get('late')).toMatchObject({ code: 'shutting_down' });
  });
});

describe('a load that nobody waits for', () => {
  const never = new AbortController().signal;
  const patient = (line: ReturnType<typeof setup>, id: string, bytes: number) => line.load(id, bytes, never, true);

  it('sends no model away that people use, and gives way', async () => {
    const line = setup({ chat: { bytes: 600, state: 'idle', isOfPeople: true } });
    await patient(line, 'batch', 600);
    expect(line.failures.get('batch')).toBe(gaveWay);
    expect(line.ended).toEqual([]);
    await line.load('other', 600);
    expect(line.ended).toEqual(['chat']);
  });

  it('takes the place of a model that nobody waits for either', async () => {
    const line = setup({ batch: { bytes: 600, state: 'idle' }, chat: { bytes: 300, state: 'idle', isOfPeople: true } });
    await patient(line, 'next', 600);
    expect(line.ended).toEqual(['batch']);
    await line.exit('batch');
    expect(line.granted).toEqual(['next']);
  });

  it('loads beside them where there is room', async () => {
    const line = setup({ chat: { bytes: 300, state: 'idle', isOfPeople: true } });
    await patient(line, 'batch', 600);
    expect(line.granted).toEqual(['batch']);
    expect(line.ended).toEqual([]);
  });

  it('does not stand in line for a working model, before who comes later', async () => {
    const line = setup({ chat: { bytes: 600, state: 'busy', isOfPeople: true } });
    await patient(line, 'batch', 600);
    expect(line.failures.get('batch')).toBe(gaveWay);
    await line.load('small', 300);
    expect(line.granted).toEqual(['small']);
  });

  it('is refused where it would never fit', async () => {
    const line = setup({ chat: { bytes: 600, state: 'idle', isOfPeople: true } });
    await patient(line, 'batch', 2_000);
    expect(line.failures.get('batch')).toMatchObject({ code: 'insufficient_memory' });
  });
});
