import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { LoadedModel } from '../../src/engine/engine.ts';
import { createRestoring, loadedModelsFile } from '../../src/engine/restoring.ts';
import { type AppEvent, createBus } from '../../src/observe/bus.ts';
import { manualClock } from '../support/manual-clock.ts';

const minuteMs = 60_000;
const model = (id: string, more: Partial<LoadedModel> = {}): LoadedModel => ({
  id: `${id}:q4_0`,
  wish: {},
  idleMs: 0,
  leftMs: 5 * minuteMs,
  ...more,
});

/** What lies in the data folder of servers that come one after the other; the time, and the timers of the last of them, go on. */
function machine() {
  let clock = manualClock();
  let text: string | null = null;
  const stored = {
    read: () => (text === null ? null : loadedModelsFile.parse(JSON.parse(text))),
    write(value: object) {
      text = JSON.stringify(value);
    },
  };
  return {
    advance: (ms: number) => clock.advance(ms),
    /** `refuse`: what the load of a model fails with. */
    start(options: { isOn?: boolean; refuse?: Record<string, Error>; hangs?: boolean } = {}) {
      // The timers of the server before are gone with it.
      clock = manualClock(clock.now());
      const bus = createBus((error) => {
        throw error;
      });
      const loaded: LoadedModel[] = [];
      const asked: LoadedModel[] = [];
      const logged: string[] = [];
      const tell = (type: 'model-loaded' | 'model-gone') => bus.publish({ type } as AppEvent);
      const note = (_facts: unknown, line?: string) => void logged.push(line ?? '');
      const restoring = createRestoring({
        engine: {
          loaded: () => loaded,
          async restore(one) {
            asked.push(one);
            if (options.hangs) await new Promise(() => {});
            const failure = options.refuse?.[one.id];
            if (failure) throw failure;
            loaded.push(one);
            tell('model-loaded');
          },
        },
        stored,
        isOn: options.isOn ?? true,
        clock,
        log: { info: note, warn: note },
        bus,
      });
      return {
        restoring,
        loaded,
        asked,
        logged,
        load(...models: LoadedModel[]) {
          loaded.push(...models);
          tell('model-loaded');
        },
        unload(id: string) {
          loaded.splice(
            loaded.findIndex((one) => one.id === `${id}:q4_0`),
            1,
          );
          tell('model-gone');
        },
      };
    },
  };
}

describe('models that were loaded', () => {
  it('come back as they were, the last used first, for the time that they had left', async () => {
    const { start, advance } = machine();
    const first = start();
    first.load(
      model('old', { idleMs: 4 * minuteMs, leftMs: minuteMs }),
      model('new', { wish: { contextTokens: 512, parallel: 2, keepAliveMs: 5 * minuteMs } }),
      model('pinned', { idleMs: 60 * minuteMs, leftMs: Number.POSITIVE_INFINITY, wish: { pin: true } }),
      model('kept', {
        idleMs: 90 * minuteMs,
        leftMs: Number.POSITIVE_INFINITY,
        wish: { keepAliveMs: Number.POSITIVE_INFINITY },
      }),
    );
    advance(30_000);
    const second = start();
    await second.restoring.begin();
    expect(second.asked).toEqual([
      model('new', {
        wish: { contextTokens: 512, parallel: 2, keepAliveMs: 5 * minuteMs },
        idleMs: 30_000,
        leftMs: 4.5 * minuteMs,
      }),
      model('old', { idleMs: 4.5 * minuteMs, leftMs: 30_000 }),
      model('pinned', { idleMs: 60.5 * minuteMs, leftMs: Number.POSITIVE_INFINITY, wish: { pin: true } }),
      model('kept', {
        idleMs: 90.5 * minuteMs,
        leftMs: Number.POSITIVE_INFINITY,
        wish: { keepAliveMs: Number.POSITIVE_INFINITY },
      }),
    ]);
  });

  it('do not come back when their time has run out, when they went before, or when nobody wants that', async () => {
    const { start, advance } = machine();
    const first = start();
    first.load(model('a', { leftMs: 50_000 }), model('b'), model('c', { leftMs: Number.POSITIVE_INFINITY }));
    first.unload('c');
    advance(50_000);
    const off = start({ isOn: false });
    await off.restoring.begin();
    expect(off.asked).toEqual([]);
    const second = start();
    await second.restoring.begin();
    expect(second.asked.map(({ id }) => id)).toEqual(['b:q4_0']);
  });

  it('have what was used of them noted each minute', async () => {
    const { start, advance } = machine();
    const first = start();
    first.load(model('a'));
    first.loaded[0]!.idleMs = 10_000;
    advance(minuteMs);
    const second = start();
    await second.restoring.begin();
    expect(second.asked).toEqual([model('a', { idleMs: 10_000 })]);
  });

  it('that cannot be loaded are said and left out, and the others come back', async () => {
    const { start } = machine();
    start().load(model('a'), model('b', { idleMs: 1_000 }));
    const refuse = { 'a:q4_0': new AppError('model_busy', 'There is no room.') };
    const second = start({ refuse });
    await second.restoring.begin();
    expect(second.loaded.map(({ id }) => id)).toEqual(['b:q4_0']);
    expect(second.logged[0]).toBe('a model is not loaded again: There is no room.');
    const third = start();
    await third.restoring.begin();
    expect(third.asked.map(({ id }) => id)).toEqual(['b:q4_0']);
  });

  it('are still known when the server ends before they were tried', async () => {
    const { start } = machine();
    start().load(model('a'), model('b', { idleMs: 1_000 }));
    const second = start({ hangs: true });
    void second.restoring.begin();
    await nextTurn();
    second.restoring.stop();
    // Its end sends models away, which is none of our business.
    second.load(model('late'));
    const third = start();
    await third.restoring.begin();
    expect(third.loaded.map(({ id }) => id)).toEqual(['a:q4_0', 'b:q4_0']);
  });

  it.each([
    ['while it was loaded', { hangs: true }],
    ['right after', {}],
  ])('are left out, and that is said, where the server ended twice %s', async (_when, how) => {
    const { start, advance } = machine();
    start().load(model('a'));
    for (const _ of [1, 2]) {
      advance(10_000);
      void start(how).restoring.begin();
      await nextTurn();
    }
    const last = start();
    await last.restoring.begin();
    expect(last.asked).toEqual([]);
    expect(last.logged).toEqual(['a model is not loaded again: the server ended each time right after it was']);
    // Somebody loads it by hand: it has a new chance.
    last.load(model('a'));
    const next = start();
    await next.restoring.begin();
    expect(next.asked).toHaveLength(1);
  });

  it('come back each time where the server lives on, or ends as it was told to', async () => {
    const { start, advance } = machine();
    start().load(model('a', { leftMs: Number.POSITIVE_INFINITY }));
    for (const how of ['lives', 'is told', 'lives', 'is told']) {
      const server = start();
      await server.restoring.begin();
      expect(server.asked).toHaveLength(1);
      if (how === 'lives') advance(minuteMs);
      else server.restoring.stop();
    }
  });
});
