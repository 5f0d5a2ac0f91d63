import { createApp, openStore } from '../app.ts';
import type { Config } from '../config/schema.ts';
import type { PullInfo } from '../core/pull.ts';
import { createLogger } from '../observe/logger.ts';
import type { HearthClient, PullView } from './client.ts';
import { decisionViews, toError } from './native-api.ts';
import { planAnswer, planPath } from './plan-answer.ts';

/** Hearth in this process, for when no server runs: on the same folders, and what it begins ends with the process. */
export function localClient(config: Config, env: NodeJS.ProcessEnv): HearthClient {
  const log = createLogger('silent');
  const never = new AbortController().signal;
  let opened: ReturnType<typeof openStore> | null = null;
  let alive: NodeJS.Timeout | null = null;

  /** Opens the store when the first needs it. */
  function open(): ReturnType<typeof openStore> {
    // The timers of the clock do not keep a process alive, and between two tries nothing else does.
    alive ??= setInterval(() => {}, 60_000);
    opened ??= openStore({ config, log });
    return opened;
  }
  /** The answer of a server that is built and never listens: it knows what earlier loads took. */
  async function askOnce(method: 'GET' | 'POST', url: string, body?: object): Promise<unknown> {
    const keyless = { ...config, server: { ...config.server, apiKeys: [] } };
    const app = await createApp({ config: keyless, log, env });
    // Nothing else keeps the process alive while a model loads.
    const waiting = setInterval(() => {}, 60_000);
    try {
      const response = await app.http.app.inject({ method, url, ...(body && { payload: body }) });
      if (response.statusCode !== 200) throw toError(response.statusCode, response.json());
      return response.json();
    } finally {
      clearInterval(waiting);
      await app.shutdown();
    }
  }
  const store = async () => (await open()).store;

  return {
    outlivesUs: false,
    decide: async (input, questions, model) =>
      decisionViews.parse(await askOnce('POST', '/decide', { input, questions, ...(model !== null && { model }) })),
    plan: async (name, wish) => planAnswer.parse(await askOnce('GET', planPath(name, wish))),
    pull: async (wish) => toView(await (await store()).pull(wish, never)),
    async *follow(id) {
      for await (const pull of (await store()).watchPull(id, never)) yield toView(pull);
    },
    pulls: async () => (await store()).pulls().map(toView),
    cancel: async (id, discard) => toView(await (await store()).cancelPull(id, { discard })),
    async models() {
      const { models, leftOut } = await (await open()).listModels();
      return {
        leftOut,
        models: models.flatMap(({ name, variants }) =>
          variants.map(({ quantization, sizeBytes, invalidReason }) => ({
            model: `${name}:${quantization}`,
            sizeBytes,
            state: invalidReason === null ? 'unloaded' : `invalid: ${invalidReason}`,
          })),
        ),
      };
    },
    available: async () => (await store()).available(),
    remove: async (name) => (await store()).remove(name),
    importFile: async (filePath) => (await store()).importFile(filePath, { anyFolder: true }),
    async close() {
      if (alive !== null) clearInterval(alive);
      await (await opened)?.store.close();
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
