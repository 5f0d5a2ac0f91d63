import { createApp, openStore } from '../app.ts';
import type { Config } from '../config/schema.ts';
import { AppError } from '../core/errors.ts';
import type { PullInfo } from '../core/pull.ts';
import type { SayCommand } from '../core/say-command.ts';
import { createLogger } from '../observe/logger.ts';
import type { HearthClient, PullView } from './client.ts';
import { localModels } from './local-models.ts';
import { localOperations } from './local-operations.ts';
import {
  decisionViews,
  keyView,
  keyViews,
  madeKeyView,
  otherNames,
  providersPath,
  providerTest,
  providerViews,
  testPath,
  toError,
} from './native-api.ts';
import { planAnswer, planPath } from './plan-answer.ts';

/**
 * Hearth in this process, for when no server runs: on the same folders, and what it begins ends with the process. `address`:
 * where none answered; null: nobody was asked.
 */
export function localClient({
  config,
  env,
  address,
  sayCommand,
}: {
  config: Config;
  env: NodeJS.ProcessEnv;
  address: string | null;
  sayCommand: SayCommand;
}): HearthClient {
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
  async function askOnce(method: 'GET' | 'POST' | 'DELETE', url: string, body?: object): Promise<unknown> {
    const app = await createApp({ config, log, env }, { keyless: true });
    // Nothing else keeps the process alive while a model loads.
    const waiting = setInterval(() => {}, 60_000);
    try {
      const response = await app.http.app.inject({ method, url, ...(body && { payload: body }) });
      const answer: unknown = response.body === '' ? null : response.json();
      if (response.statusCode >= 400) throw toError(response.statusCode, answer);
      return answer;
    } finally {
      clearInterval(waiting);
      await app.shutdown();
    }
  }
  const store = async () => (await open()).store;
  /** A batch is answered over hours: this process would have to stay. */
  async function needsServer(): Promise<never> {
    throw new AppError('not_supported', 'Batches are answered by a server that runs, and none does.', {
      fix: `Start one with ${sayCommand()}, or set HEARTH_URL.`,
    });
  }

  return {
    ...localOperations(askOnce, address, sayCommand),
    ...localModels(askOnce, address, sayCommand),
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
      const { store, listModels } = await open();
      const { models, leftOut } = await listModels();
      const madeNames = (name: string) =>
        store
          .madeModels()
          .filter(({ from }) => from.toLowerCase().replace(/:[^:/]*$/, '') === name)
          .map((made) => made.name);
      return {
        leftOut,
        models: models.flatMap(({ name, aliases, variants }) =>
          variants.map(({ quantization, sizeBytes, invalidReason }, index) => ({
            model: `${name}:${quantization}`,
            sizeBytes,
            state: invalidReason === null ? 'unloaded' : `invalid: ${invalidReason}`,
            names:
              index === 0 ? otherNames({ name, aliases, made_names: madeNames(name.toLowerCase()) }, quantization) : [],
          })),
        ),
      };
    },
    available: async () => (await store()).available(),
    remove: async (name) => (await store()).remove(name),
    importFile: async (filePath) => (await store()).importFile(filePath, { anyFolder: true }),
    providers: async () => providerViews.parse(await askOnce('GET', providersPath)),
    testProvider: async (id) => providerTest.parse(await askOnce('POST', testPath(id))),
    createKey: async (wish) => madeKeyView.parse(await askOnce('POST', '/api/v1/keys', wish)),
    keys: async () => keyViews.parse(await askOnce('GET', '/api/v1/keys')),
    revokeKey: async (idOrName) =>
      keyView.parse(await askOnce('DELETE', `/api/v1/keys/${encodeURIComponent(idOrName)}`)),
    sendFile: needsServer,
    fileLines: () => ({ [Symbol.asyncIterator]: () => ({ next: needsServer }) }),
    removeFile: needsServer,
    createBatch: needsServer,
    batches: needsServer,
    batch: needsServer,
    batchProgress: needsServer,
    cancelBatch: needsServer,
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
