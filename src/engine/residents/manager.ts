import type { AppError } from '../../core/errors.ts';
import type { CrashGuard } from './crash-guard.ts';
import type { Lease } from './lease.ts';
import { createLoadQueue, gaveWay } from './load-queue.ts';
import type { LoadSettings, ModelRef } from './model-ref.ts';
import {
  type Asker,
  beginResident,
  movedOn,
  type OrderlyEnd,
  type Resident,
  type ResidentDeps,
  type ResidentMemory,
  shuttingDown,
} from './resident.ts';
import type { ModelUse, ResidentView } from './resident-state.ts';
import type { OnPlace } from './scheduler.ts';
import { withSignal } from './with-signal.ts';

export type { LoadSettings, ModelRef };

export interface Manager {
  /**
   * Loads the model if need be, waits for a slot. `keepAliveMs`: overrides the model's idle time from now on. `onPlace`: is
   * told the place in the queue for a slot. `by`: who asks. Where nobody waits, no model goes for it that people use: rejects
   * with `gaveWay`.
   */
  lease(
    ref: ModelRef,
    settings: LoadSettings,
    signal: AbortSignal,
    keepAliveMs?: number,
    onPlace?: OnPlace,
    by?: Asker,
  ): Promise<Lease>;
  /** Loads, or joins the load under way. A loaded model with other settings than those asked for is loaded again. */
  load(ref: ModelRef, settings: LoadSettings): Promise<void>;
  /**
   * Loads a model that was loaded before a restart, where there is room beside what people use by now; rejects with `gaveWay`
   * where there is none. One that is there already stays as it is.
   */
  restore(ref: ModelRef, settings: LoadSettings & Required<Pick<LoadSettings, 'restored'>>): Promise<void>;
  /** How those are used that are loaded. */
  uses(): ModelUse[];
  /** Lets running requests finish, then ends the worker and waits for its exit. */
  unload(id: string, reason: OrderlyEnd): Promise<void>;
  /** Ends the idle model that was not used for longest, if there is one. */
  relieve(): void;
  residents(): ResidentView[];
  /** Begins no load any more and ends those under way: nobody is to wait for a model that is not there. */
  stopLoading(): void;
  /** Ends all workers at once. */
  close(): Promise<void>;
}

interface ManagerDeps extends Omit<ResidentDeps, 'loadQueue' | 'closing' | 'onGone'> {
  memory: ResidentMemory & {
    /** Why nothing may be loaded, or nothing asked, at the moment; null: all may go on. */
    refusal(of: 'load' | 'request'): AppError | null;
  };
  crashes: CrashGuard;
}

/**
 * Owns every loaded model. One load runs at a time; requests for a model that is loading join it; a load that needs
 * room ends idle models, least recently used first, and waits for their processes to be gone.
 */
export function createManager(deps: ManagerDeps): Manager {
  const residents = new Map<string, Resident>();
  const closing = new AbortController();
  const loadQueue = createLoadQueue({
    // Only one load runs at a time, so nobody else's memory is about to grow.
    occupants: () => [...residents.values()].flatMap((resident) => resident.occupant() ?? []),
    evict: (id) => residents.get(id)!.unload('room'),
    exitOf: (id) => residents.get(id)!.whenGone,
  });

  const begin = (ref: ModelRef, settings: LoadSettings): Resident => {
    if (closing.signal.aborted) throw shuttingDown();
    deps.crashes.check(ref.id);
    const short = deps.memory.refusal('load');
    if (short) throw short;
    const onGone = () => {
      residents.delete(ref.id);
      loadQueue.roomChanged();
    };
    const resident = beginResident({ ...deps, loadQueue, closing: closing.signal, onGone }, ref, settings);
    residents.set(ref.id, resident);
    return resident;
  };

  /** The loaded resident of a model, loading it first if need be. */
  const loaded = async (ref: ModelRef, settings: LoadSettings, signal: AbortSignal): Promise<Resident> => {
    while (true) {
      const resident = residents.get(ref.id) ?? begin(ref, settings);
      if (resident.phase === 'loaded') return resident;
      try {
        await withSignal(resident.phase === 'unloading' ? resident.whenGone : resident.whenLoaded, signal);
      } catch (error) {
        // It had joined a load that nobody waited for.
        if (error !== gaveWay || settings.isBackground) throw error;
      }
    }
  };

  const stopLoading = () => {
    closing.abort();
    for (const resident of residents.values()) {
      if (resident.phase === 'waiting-for-memory' || resident.phase === 'starting') void resident.unload('shutdown');
    }
  };

  /** The idle model that was not used for longest; pinned ones stay. */
  const longestIdle = () =>
    [...residents.values()]
      .filter(({ idleSinceMs }) => idleSinceMs !== null)
      .sort((left, right) => left.idleSinceMs! - right.idleSinceMs!)[0];

  return {
    async lease(ref, wished, signal, keepAliveMs, onPlace, by) {
      const settings = by?.isBackground ? { ...wished, isBackground: true } : wished;
      while (true) {
        const short = deps.memory.refusal('request');
        if (short) throw short;
        const resident = await loaded(ref, settings, signal);
        try {
          return await resident.lease(signal, keepAliveMs, onPlace, by);
        } catch (error) {
          if (error !== movedOn) throw error;
        }
      }
    },
    async load(ref, settings) {
      const current = residents.get(ref.id);
      if (current && !current.meets(settings)) await current.unload('request');
      const resident = await loaded(ref, settings, new AbortController().signal);
      resident.keep(settings);
    },
    async restore(ref, settings) {
      await (residents.get(ref.id) ?? begin(ref, settings)).whenLoaded;
    },
    uses: () => [...residents.values()].flatMap((resident) => resident.use() ?? []),
    async unload(id, reason) {
      await residents.get(id)?.unload(reason);
    },
    relieve() {
      void longestIdle()?.unload('pressure');
    },
    residents() {
      const next = longestIdle();
      return [...residents.values()].map((resident) => ({ ...resident.view(), endsNext: resident === next }));
    },
    stopLoading,
    async close() {
      stopLoading();
      await Promise.all([...residents.values()].map((resident) => resident.unload('shutdown')));
    },
  };
}
