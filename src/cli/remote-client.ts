import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { isLoopback } from '../config/rules.ts';
import { AppError } from '../core/errors.ts';
import type { HearthClient } from './client.ts';
import { availableViews, decisionViews, modelViews, pullView, removedModels, toError } from './native-api.ts';
import { planAnswer, planPath } from './plan-answer.ts';

const onePull = z.object({ pull: pullView }).transform(({ pull }) => pull);
const allPulls = z.object({ pulls: z.array(pullView) }).transform(({ pulls }) => pulls);

/**
 * Hearth behind its native API. `address` has been shown to be Hearth: the key goes with every request. `openLocal`:
 * the same in this process, for a file that only this person may read.
 */
export function remoteClient(deps: {
  address: string;
  apiKey: string | undefined;
  openLocal: () => HearthClient;
}): HearthClient {
  const { address, apiKey } = deps;
  // A stream that nobody follows any more would keep the process alive.
  const closing = new AbortController();

  async function send(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(address + path, {
      method,
      // The key is for the server that was asked, not for one that it names.
      redirect: 'error',
      signal: closing.signal,
      headers: {
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new AppError('internal_error', `The connection to ${address} broke.`, { cause: error });
    });
    if (!response.ok) throw toError(response.status, await response.json().catch(() => null));
    return response;
  }

  async function ask<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const response = await send(method, path, body);
    const parsed = schema.safeParse(await response.json().catch(() => null));
    if (parsed.success) return parsed.data;
    throw new AppError('internal_error', `The server at ${address} gave an answer that this version cannot read.`, {
      fix: 'Is it another version of Hearth?',
      cause: parsed.error,
    });
  }

  return {
    outlivesUs: true,
    decide: (input, questions, model) =>
      ask('POST', '/decide', decisionViews, { input, questions, ...(model !== null && { model }) }),
    plan: (name, wish) => ask('GET', planPath(name, wish), planAnswer),
    pull: (wish) => ask('POST', '/models/pull', onePull, wish),
    async *follow(id) {
      const { body } = await send('GET', `/models/pull/${encodeURIComponent(id)}/events`);
      const events = body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()) ?? [];
      for await (const { data } of events) yield pullView.parse(JSON.parse(data));
    },
    pulls: () => ask('GET', '/models/pulls', allPulls),
    cancel: (id, discard) =>
      ask('DELETE', `/models/pull/${encodeURIComponent(id)}${discard ? '?discard=true' : ''}`, onePull),
    models: () => ask('GET', '/models', modelViews),
    available: () => ask('GET', '/catalog', availableViews),
    remove: (name) => ask('DELETE', `/models/${encodeURIComponent(name)}`, removedModels),
    async importFile(filePath) {
      if (!isLoopback(new URL(address).hostname)) {
        throw new AppError('not_supported', 'A file is imported on the machine of the server.', {
          fix: 'Run the command there.',
        });
      }
      // The file is one that this person may read, so it is taken in here; the server sees it with its next listing.
      const local = deps.openLocal();
      try {
        return await local.importFile(filePath);
      } finally {
        await local.close();
        await send('GET', '/models');
      }
    },
    close: async () => closing.abort(),
  };
}
