import { openStore } from '../app.ts';
import type { Config } from '../config/schema.ts';
import type { PullInfo } from '../core/pull.ts';
import { createLogger } from '../observe/logger.ts';
import type { PullView, StoreClient } from './store-client.ts';

/** The model store in this process, for when no server runs. */
export async function localStore(config: Config): Promise<StoreClient> {
  const { store, listModels } = await openStore({ config, log: createLogger('silent') });
  const never = new AbortController().signal;
  // The timers of the clock do not keep a process alive, and between two tries nothing else does.
  const alive = setInterval(() => {}, 60_000);
  return {
    outlivesUs: false,
    pull: async (wish) => toView(await store.pull(wish, never)),
    async *follow(id) {
      for await (const pull of store.watchPull(id, never)) yield toView(pull);
    },
    pulls: async () => store.pulls().map(toView),
    cancel: async (id, discard) => toView(await store.cancelPull(id, { discard })),
    models: async () =>
      (await listModels()).flatMap(({ name, variants }) =>
        variants.map(({ quantization, sizeBytes, invalidReason }) => ({
          model: `${name}:${quantization}`,
          sizeBytes,
          state: invalidReason === null ? 'unloaded' : `invalid: ${invalidReason}`,
        })),
      ),
    available: () => store.available(),
    remove: (name) => store.remove(name),
    importFile: (filePath) => store.importFile(filePath, { anyFolder: true }),
    async close() {
      clearInterval(alive);
      await store.close();
    },
  };
}

function toView(pull: PullInfo): PullView {
  return {
    id: pull.id,
    model: pull.model,
    repository: pull.repository,
    state: pull.state,
    totalBytes: pull.totalBytes,
    receivedBytes: pull.receivedBytes,
    bytesPerSecond: pull.bytesPerSecond,
    planMessage: pull.plan?.message ?? null,
    notes: pull.notes,
    error: pull.error && { message: pull.error.message, fix: pull.error.fix },
  };
}
