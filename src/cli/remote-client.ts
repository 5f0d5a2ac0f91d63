import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { isLoopback } from '../config/rules.ts';
import { AppError } from '../core/errors.ts';
import type { SayCommand } from '../core/say-command.ts';
import {
  batchesPath,
  batchPath,
  batchStatus,
  batchView,
  batchViews,
  contentPath,
  filesPath,
  sentFile,
  statusPath,
} from './batch-api.ts';
import type { BatchView, HearthClient } from './client.ts';
import {
  availableViews,
  decisionViews,
  keyView,
  keyViews,
  madeKeyView,
  modelViews,
  providersPath,
  providerTest,
  providerViews,
  pullView,
  removedModels,
  testPath,
} from './native-api.ts';
import { planAnswer, planPath } from './plan-answer.ts';
import { remoteModels } from './remote-models.ts';
import { remoteOperations } from './remote-operations.ts';
import { createTransport } from './transport.ts';

const onePull = z.object({ pull: pullView }).transform(({ pull }) => pull);
const allPulls = z.object({ pulls: z.array(pullView) }).transform(({ pulls }) => pulls);

/**
 * Hearth behind its native API. `address` has been shown to be Hearth: the key goes with every request. `openLocal`:
 * the same in this process, for a file that only this person may read.
 */
export function remoteClient(deps: {
  address: string;
  apiKey: string | undefined;
  sayCommand: SayCommand;
  openLocal: () => Promise<HearthClient>;
}): HearthClient {
  const transport = createTransport(deps);
  const { send, ask } = transport;

  return {
    ...remoteOperations({ address: deps.address, send, ask }),
    ...remoteModels(transport),
    outlivesUs: true,
    decide: (input, questions, model) =>
      ask('POST', '/decide', decisionViews, { input, questions, ...(model !== null && { model }) }),
    plan: (name, wish) => ask('GET', planPath(name, wish), planAnswer),
    pull: (wish) => ask('POST', '/models/pull', onePull, wish),
    async *follow(id) {
      const { body } = await send('GET', `/models/pull/${encodeURIComponent(id)}/events`);
      const events = body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()) ?? [];
      try {
        for await (const { data } of events) yield pullView.parse(JSON.parse(data));
      } catch (error) {
        throw new AppError('internal_error', `The connection to ${deps.address} broke.`, {
          fix: `The pull goes on where it was when the server runs and ${deps.sayCommand('pull')} asks for it again.`,
          cause: error,
        });
      }
    },
    pulls: () => ask('GET', '/models/pulls', allPulls),
    cancel: (id, discard) =>
      ask('DELETE', `/models/pull/${encodeURIComponent(id)}${discard ? '?discard=true' : ''}`, onePull),
    models: () => ask('GET', '/models', modelViews),
    available: () => ask('GET', '/catalog', availableViews),
    remove: (name) => ask('DELETE', `/models/${encodeURIComponent(name)}`, removedModels),
    async importFile(filePath) {
      if (!isLoopback(new URL(deps.address).hostname)) {
        throw new AppError('not_supported', 'A file is imported on the machine of the server.', {
          fix: 'Run the command there.',
        });
      }
      // The file is one that this person may read, so it is taken in here; the server sees it with its next listing.
      const local = await deps.openLocal();
      try {
        return await local.importFile(filePath);
      } finally {
        await local.close();
        await send('GET', '/models');
      }
    },
    providers: () => ask('GET', providersPath, providerViews),
    testProvider: (id) => ask('POST', testPath(id), providerTest),
    createKey: (wish) => ask('POST', '/api/v1/keys', madeKeyView, wish),
    keys: () => ask('GET', '/api/v1/keys', keyViews),
    revokeKey: (idOrName) => ask('DELETE', `/api/v1/keys/${encodeURIComponent(idOrName)}`, keyView),
    async sendFile(filePath, purpose) {
      const form = new FormData();
      form.append('purpose', purpose);
      // Read as it is sent.
      const bytes = await openAsBlob(filePath).catch((cause: unknown) => {
        throw new AppError('invalid_request', `${filePath} cannot be read.`, { cause });
      });
      form.append('file', bytes, basename(filePath));
      return (await ask('POST', filesPath, sentFile, form)).id;
    },
    async *fileLines(fileId) {
      const { body } = await send('GET', contentPath(fileId));
      if (body === null) return;
      yield* createInterface({ input: Readable.fromWeb(body as NodeStream), crlfDelay: Number.POSITIVE_INFINITY });
    },
    removeFile: async (fileId) => void (await send('DELETE', `${filesPath}/${encodeURIComponent(fileId)}`)),
    createBatch: ({ fileId, endpoint, window, metadata, idempotencyKey, webhookUrl }) =>
      ask(
        'POST',
        batchesPath,
        batchView,
        { input_file_id: fileId, endpoint, completion_window: window, metadata },
        {
          ...(idempotencyKey !== null && { 'idempotency-key': idempotencyKey }),
          ...(webhookUrl !== undefined && { 'x-webhook-url': webhookUrl }),
        },
      ),
    async batches() {
      const all: BatchView[] = [];
      for (let next: string | null = ''; next !== null; ) {
        const after: string = next === '' ? '' : `&after=${encodeURIComponent(next)}`;
        const page: z.output<typeof batchViews> = await ask('GET', `${batchesPath}?limit=100${after}`, batchViews);
        all.push(...page.batches);
        next = page.next;
      }
      return all;
    },
    batch: (id) => ask('GET', batchPath(id), batchView),
    batchProgress: async (id) => (await ask('GET', statusPath(id), batchStatus)).progress,
    cancelBatch: (id) => ask('POST', `${batchPath(id)}/cancel`, batchView),
    close: async () => transport.close(),
  };
}
