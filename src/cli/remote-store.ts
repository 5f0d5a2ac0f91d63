import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { AppError, type ErrorCode, errorCatalogue } from '../core/errors.ts';
import { localStore } from './local-store.ts';
import type { PullView, StoreClient } from './store-client.ts';

const failure = z.object({ message: z.string(), fix: z.string().nullable() });
const pullRecord = z.object({
  id: z.string(),
  model: z.string(),
  repository: z.string(),
  state: z.string(),
  total_bytes: z.number(),
  received_bytes: z.number(),
  bytes_per_second: z.number().nullable(),
  plan: z.object({ message: z.string() }).nullable(),
  notes: z.array(z.string()),
  error: failure.nullable(),
});
const variant = z.object({ quantization: z.string(), size_bytes: z.number(), reason: z.string().nullable() });
const modelRecord = z.object({
  name: z.string(),
  state: z.string(),
  quantization: z.string(),
  variants: z.array(variant),
});
const availableRecord = z.object({
  name: z.string(),
  title: z.string(),
  kind: z.string(),
  machine_gb: z.number(),
  context_length: z.number(),
  licence: z.string(),
  quantizations: z.array(
    z.object({ quantization: z.string(), size_bytes: z.number().nullable(), on_disk: z.boolean() }),
  ),
  on_disk: z.boolean(),
});
const errorRecord = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.object({ fix: z.string().optional() }).loose() }),
});

/** Time that a server has to say that it is there. */
const helloMs = 2_000;

/** The store of the server that this configuration describes; null when none runs there. */
export async function remoteStore(config: Config): Promise<StoreClient | null> {
  const { server } = config;
  if (server.port === 0) return null;
  const host = server.host === '0.0.0.0' ? '127.0.0.1' : server.host === '::' ? '::1' : server.host;
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  const key = server.apiKeys[0];
  // A stream that nobody follows any more would keep the process alive.
  const closing = new AbortController();

  async function send(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(origin + path, {
      method,
      signal: closing.signal,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw await toError(response);
    return response;
  }
  async function ask<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const response = await send(method, path, body);
    return schema.parse(await response.json());
  }

  if (!(await isHearth(origin))) return null;
  return {
    outlivesUs: true,
    pull: async (wish) => toView((await ask('POST', '/models/pull', z.object({ pull: pullRecord }), wish)).pull),
    async *follow(id) {
      const response = await send('GET', `/models/pull/${encodeURIComponent(id)}/events`);
      const records = response.body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
      for await (const { data } of records) yield toView(pullRecord.parse(JSON.parse(data)));
    },
    pulls: async () => (await ask('GET', '/models/pulls', z.object({ pulls: z.array(pullRecord) }))).pulls.map(toView),
    async cancel(id, discard) {
      const path = `/models/pull/${encodeURIComponent(id)}${discard ? '?discard=true' : ''}`;
      return toView((await ask('DELETE', path, z.object({ pull: pullRecord }))).pull);
    },
    async models() {
      const { models } = await ask('GET', '/models', z.object({ models: z.array(modelRecord) }));
      return models.flatMap((model) =>
        model.variants.map(({ quantization, size_bytes, reason }) => ({
          model: `${model.name}:${quantization}`,
          sizeBytes: size_bytes,
          // The state is that of the variant that is loaded or would be.
          state:
            reason !== null ? `invalid: ${reason}` : quantization === model.quantization ? model.state : 'unloaded',
        })),
      );
    },
    async available() {
      const { models } = await ask('GET', '/catalog', z.object({ models: z.array(availableRecord) }));
      return models.map(({ machine_gb, context_length, on_disk, quantizations, ...model }) => ({
        ...model,
        machineGb: machine_gb,
        contextTokens: context_length,
        quantizations: quantizations.map(({ quantization, size_bytes, on_disk }) => ({
          quantization,
          sizeBytes: size_bytes,
          onDisk: on_disk,
        })),
        onDisk: on_disk,
      }));
    },
    async remove(name) {
      const stored = z.object({ model: z.string(), size_bytes: z.number() });
      const path = `/models/${encodeURIComponent(name)}`;
      const { removed } = await ask('DELETE', path, z.object({ removed: z.array(stored) }));
      return removed.map(({ model, size_bytes }) => ({ model, sizeBytes: size_bytes }));
    },
    async importFile(filePath) {
      // The file is one that this person may read, so it is taken in here; the server sees it with its next listing.
      const local = await localStore(config);
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

/** Whether a Hearth listens there, and not somebody else. */
async function isHearth(origin: string): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(helloMs) });
    return z.object({ version: z.string(), clients_initialized: z.boolean() }).safeParse(await response.json()).success;
  } catch {
    return false;
  }
}

async function toError(response: Response): Promise<AppError> {
  const parsed = errorRecord.safeParse(await response.json().catch(() => null));
  if (!parsed.success) return new AppError('internal_error', `The server answered with status ${response.status}.`);
  const { code, message, details } = parsed.data.error;
  const known = code.toLowerCase() in errorCatalogue ? (code.toLowerCase() as ErrorCode) : 'internal_error';
  return new AppError(known, message, details.fix === undefined ? {} : { fix: details.fix });
}

function toView(pull: z.output<typeof pullRecord>): PullView {
  return {
    id: pull.id,
    model: pull.model,
    repository: pull.repository,
    state: pull.state,
    totalBytes: pull.total_bytes,
    receivedBytes: pull.received_bytes,
    bytesPerSecond: pull.bytes_per_second,
    planMessage: pull.plan?.message ?? null,
    notes: pull.notes,
    error: pull.error,
  };
}
