import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PullInfo } from '../../src/core/pull.ts';
import { planLoad } from '../../src/engine/memory/plan.ts';
import { repackRulesOf } from '../../src/engine/memory/repack.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createCatalog } from '../../src/store/catalog/catalog.ts';
import { openMadeModels } from '../../src/store/made-models/made-models.ts';
import { createStore, type Store, type StoreDeps, type StoreSettings } from '../../src/store/model-store.ts';
import type { FakeHub } from './fake-hub.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';

/** A machine without surprises. */
const machine = { repackRules: repackRulesOf(null, 'x64'), threads: 2, gpu: null, correctionBytes: () => 0 };

export interface TestStore {
  store: Store;
  /** The model folder. */
  folder: string;
  dataFolder: string;
  clock: ManualClock;
  /** What was published, in order. */
  events: AppEvent[];
  catalog: ReturnType<typeof createCatalog>;
  /** Ids that were unloaded. */
  unloaded: string[];
  /** Another store over the same folders, as after a restart. */
  restarted(changes?: TestStoreChanges): TestStore;
  close(): Promise<void>;
}

export interface TestStoreChanges {
  settings?: Partial<StoreSettings>;
  deps?: Partial<StoreDeps>;
}

/** The real store over a fake hub, on a clock that stands still, with pieces of 64 KiB. */
export async function testStore(hub: FakeHub, changes: TestStoreChanges = {}): Promise<TestStore> {
  const root = await mkdtemp(join(tmpdir(), 'hearth-store-'));
  const opened: Store[] = [];
  const open = (more: TestStoreChanges = {}): TestStore => {
    const folder = join(root, 'models');
    const clock = manualClock();
    const events: AppEvent[] = [];
    const log = createLogger('silent');
    const unloaded: string[] = [];
    const made = openMadeModels(join(root, 'made-models.json'), log);
    const catalog = createCatalog({ folders: [folder], builtinFile: null, aliases: {}, defaultModel: null, made, log });
    const store = createStore({
      settings: {
        endpoint: hub.endpoint,
        token: null,
        proxy: null,
        hosts: [hub.cdnHost],
        allowPrivate: true,
        bytesPerSecond: null,
        hours: null,
        reserveBytes: 0,
        importFolders: [],
        ...changes.settings,
        ...more.settings,
      },
      folder,
      dataFolder: root,
      builtinFile: null,
      configuredNames: [],
      catalog,
      made,
      pullCatalog: { models: [], find: () => null },
      unload: async (ids) => void unloaded.push(...ids),
      plan: (facts) => planLoad({ facts, wish: {}, budget: { availableBytes: 4e9, totalBytes: 4e9 }, ...machine }),
      totalBytes: () => 4e9,
      advise: () => null,
      clock,
      log,
      bus: { publish: (event) => void events.push(event) },
      version: '1.2.3',
      random: () => 0.5,
      pieceBytes: 64 * 1024,
      ...changes.deps,
      ...more.deps,
    });
    opened.push(store);
    return {
      store,
      folder,
      dataFolder: root,
      clock,
      events,
      catalog,
      unloaded,
      restarted: open,
      async close() {
        for (const each of opened) await each.close();
        await rm(root, { recursive: true, force: true });
      },
    };
  };
  return open();
}

export const never = new AbortController().signal;

/** Follows a pull until it is in one of the states, or has ended. */
export async function pullUntil(store: Store, id: string, ...states: PullInfo['state'][]): Promise<PullInfo> {
  let last = store.getPull(id);
  for await (const pull of store.watchPull(id, never)) {
    last = pull;
    if (states.includes(pull.state)) break;
  }
  return last;
}
