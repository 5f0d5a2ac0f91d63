import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { toAppError } from '../core/errors.ts';
import type { StateFile } from '../files/state-file.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import type { Engine, LoadedModel, LoadWish } from './engine.ts';

const amount = z.number().min(0);
const keptModel = z.object({
  id: z.string(),
  wish: z.object({
    contextTokens: amount.optional(),
    parallel: amount.optional(),
    preferGpu: z.boolean().optional(),
    pin: z.boolean().optional(),
    /** Null: for ever. */
    keepAliveMs: amount.nullable().optional(),
  }),
  /** When it worked last, and until when it stays if nobody uses it, in milliseconds since 1970; null: for ever. */
  usedAtMs: amount,
  keepUntilMs: amount.nullable(),
});
type KeptModel = z.infer<typeof keptModel>;

/** What outlives the process: the models that are loaded, and how often each was loaded again by a server that ended soon after. */
export const loadedModelsFile = z.object({
  version: z.literal(1),
  models: z.array(keptModel).max(1_000),
  attempts: z.record(z.string(), z.int().min(0)),
});

/** Loads again after a restart what was loaded before it. */
export interface Restoring {
  /** Once the server answers; resolves when each has been tried. */
  begin(): Promise<void>;
  /** Notes a last time what is loaded, and nothing from then on: the server is about to end. */
  stop(): void;
}

/** A server that lives so long after a load was not ended by it. */
const soundAfterMs = 60_000;
const mostAttempts = 2;
/** Use of the models is noted so often; what comes and goes, at once. */
const noteEveryMs = 60_000;

/**
 * Notes which models are loaded, by what and until when, and loads them again: one after the other, the most recently used first,
 * only where there is room beside what people use by then. One whose time has run out meanwhile is left out, and so is one that a
 * server loaded twice in a row without living for another minute: it may be what ended it. `isOn`: else nothing is noted or loaded.
 */
export function createRestoring(deps: {
  engine: Pick<Engine, 'loaded' | 'restore'>;
  stored: StateFile<z.infer<typeof loadedModelsFile>>;
  isOn: boolean;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn'>;
  bus: Pick<Bus, 'subscribe'>;
}): Restoring {
  const { engine, stored, clock, log } = deps;
  if (!deps.isOn) return { begin: async () => {}, stop: () => {} };
  const nowMs = () => clock.now().getTime();
  const before = stored.read();
  const attempts = new Map(Object.entries(before?.attempts ?? {}));
  /** Those that are yet to be tried. */
  let pending = (before?.models ?? []).toSorted((left, right) => right.usedAtMs - left.usedAtMs);
  let isStopped = false;
  let written = '';

  const note = () => {
    if (isStopped) return;
    const loaded = engine.loaded().map((model) => toKept(model, nowMs()));
    const waiting = pending.filter(({ id }) => !loaded.some((model) => model.id === id));
    const content = { version: 1 as const, models: [...loaded, ...waiting], attempts: Object.fromEntries(attempts) };
    const text = JSON.stringify(content);
    if (text === written) return;
    written = text;
    stored.write(content);
  };
  const settled = (id: string) => {
    attempts.delete(id);
    note();
  };

  const tryOne = async (kept: KeptModel) => {
    const { id, keepUntilMs } = kept;
    const tries = attempts.get(id) ?? 0;
    if (tries >= mostAttempts) {
      log.warn({ model: id, tries }, 'a model is not loaded again: the server ended each time right after it was');
      return settled(id);
    }
    if (keepUntilMs !== null && keepUntilMs <= nowMs()) return settled(id);
    attempts.set(id, tries + 1);
    note();
    try {
      await engine.restore(toLoaded(kept, nowMs()));
      log.info({ model: id }, 'a model that was loaded before the restart is loaded again');
      clock.after(soundAfterMs, () => settled(id));
    } catch (error) {
      const { code, message } = toAppError(error);
      settled(id);
      if (!isStopped) log.warn({ model: id, code }, `a model is not loaded again: ${message}`);
    }
  };

  const unsubscribe = deps.bus.subscribe(({ type }) => {
    if (type === 'model-loaded' || type === 'model-gone') note();
  });
  const timer = clock.every(noteEveryMs, note);

  return {
    async begin() {
      while (pending[0] !== undefined && !isStopped) {
        const [next, ...rest] = pending;
        await tryOne(next);
        // Until it was tried it is noted, as the server may end meanwhile.
        pending = rest;
      }
      note();
    },
    stop() {
      // It ends as it was told to, not by a load.
      attempts.clear();
      note();
      isStopped = true;
      unsubscribe();
      timer.cancel();
    },
  };
}

/** To the second, so that an idle model is noted once. */
const toSecond = (ms: number) => Math.round(ms / 1_000) * 1_000;
const orNull = (ms: number) => (Number.isFinite(ms) ? ms : null);

function toKept({ id, wish, idleMs, leftMs }: LoadedModel, nowMs: number): KeptModel {
  const { keepAliveMs, ...rest } = wish;
  return {
    id,
    wish: { ...rest, ...(keepAliveMs !== undefined && { keepAliveMs: orNull(keepAliveMs) }) },
    usedAtMs: toSecond(nowMs - idleMs),
    keepUntilMs: orNull(toSecond(nowMs + Math.max(0, leftMs))),
  };
}

function toLoaded({ id, wish, usedAtMs, keepUntilMs }: KeptModel, nowMs: number): LoadedModel {
  const { keepAliveMs, ...rest } = wish;
  return {
    id,
    wish: {
      // What was left out is not there: the file holds no undefined values.
      ...(rest as LoadWish),
      ...(keepAliveMs !== undefined && { keepAliveMs: keepAliveMs ?? Number.POSITIVE_INFINITY }),
    },
    idleMs: Math.max(0, nowMs - usedAtMs),
    leftMs: keepUntilMs === null ? Number.POSITIVE_INFINITY : keepUntilMs - nowMs,
  };
}
