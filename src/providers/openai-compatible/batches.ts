import type { BatchLine, BatchLineAnswer, BatchLineResult } from '../../core/batch-line.ts';
import { AppError } from '../../core/errors.ts';
import {
  type BatchTrace,
  lacksBatches,
  type ProviderBatches,
  type SentBatch,
  unknownBatch,
} from '../../core/provider-batch.ts';
import { linesOf } from '../../wire/lines.ts';
import type { ClientAnswer, ServiceClient } from './client.ts';
import { broken } from './embeddings.ts';
import { toFailure } from './errors.ts';
import { countAt, isJson, type Json, jsonAt, listAt, textAt } from './wire.ts';

/** Of OpenAI, November 2026: most requests and bytes of one input file. */
const limits = { requests: 50_000, bytes: 200 * 1024 * 1024 };
const maxLineBytes = 64 * 1024 * 1024;
/** Under which our id of a batch stands among its metadata. */
const nameKey = 'hearth_batch';
/** A list has at most so many pages that are looked at. */
const maxPages = 10;
const pageSize = 100;
const earlierMs = 10 * 60_000;

/** States that a batch does not leave any more. */
const ended: ReadonlySet<string> = new Set(['completed', 'expired', 'cancelled']);
/** Why a batch may be taken later that was not taken now: the account has too much under way. */
const later = /token_limit_exceeded|rate_limit|quota|enqueued/i;

/** Files and batches of OpenAI's dialect, without the words of single requests. */
export function createFileBatches(deps: {
  provider: string;
  client: ServiceClient;
}): Omit<ProviderBatches, 'word' | 'read'> {
  const { provider, client } = deps;
  const failure = { provider, isConfigured: true };
  const ask = (
    method: 'get' | 'post' | 'delete',
    path: string,
    signal: AbortSignal,
    more: { body?: Uint8Array; headers?: Record<string, string>; hops?: readonly string[] } = {},
  ) => client.json({ method, path, ...failure, ...more, signal, comesWhole: true });
  /** Whoever speaks the dialect may have single requests alone. */
  const there = async <Result>(asked: Promise<Result>): Promise<Result> => {
    try {
      return await asked;
    } catch (error) {
      if (!lacksBatches(error)) throw error;
      throw new AppError('not_supported', `${provider} takes no batches.`, { cause: error });
    }
  };
  const known = <Result>(asked: Promise<Result>): Promise<Result> =>
    asked.catch((error: unknown) => {
      throw unknownBatch(error, provider);
    });
  const upload = async (name: string, lines: readonly BatchLine[], signal: AbortSignal): Promise<string> => {
    const { hops } = lines[0]!.request;
    const form = formOf(`${name}.jsonl`, lines.map(lineOf).join(''));
    const file = await there(ask('post', '/files', signal, { ...form, hops }));
    const id = textAt(file, 'id');
    if (id === null) throw broken(provider, 'no id of a file');
    return id;
  };
  const remove = async (file: string | null, signal: AbortSignal) => {
    if (file === null) return;
    await ask('delete', `/files/${encodeURIComponent(file)}`, signal).catch((error: unknown) => {
      if (!lacksBatches(error)) throw error;
    });
  };
  const batchOf = (id: string, signal: AbortSignal) => known(ask('get', `/batches/${encodeURIComponent(id)}`, signal));

  async function* linesIn(file: string, signal: AbortSignal): AsyncGenerator<BatchLineResult> {
    const path = `/files/${encodeURIComponent(file)}/content`;
    const sent = await client.send({ method: 'get', path, ...failure, signal, comesWhole: true });
    try {
      for await (const { number, bytes } of linesOf(sent.body, maxLineBytes)) {
        const line = parsed(new TextDecoder().decode(bytes ?? new Uint8Array()));
        if (!isJson(line)) throw broken(provider, `no JSON in line ${number} of a file of results`);
        yield resultOf(line);
      }
    } finally {
      sent.close();
    }
  }

  return {
    limits,
    async submit({ name, lines }, signal) {
      const { path, headers, hops } = lines[0]!.request;
      const file = await upload(name, lines, signal);
      const body = encoded({
        input_file_id: file,
        endpoint: path,
        completion_window: '24h',
        metadata: { [nameKey]: name },
      });
      const batch = await there(ask('post', '/batches', signal, { body, headers, hops }));
      const id = textAt(batch, 'id');
      if (id === null) throw broken(provider, 'no id of a batch');
      return id;
    },
    async find({ name, sentAt }: BatchTrace, signal) {
      let after: string | null = null;
      for (let page = 0; page < maxPages; page++) {
        const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
        const list = await there(ask('get', `/batches?limit=${pageSize}${query}`, signal));
        const batches = listAt(list, 'data').filter(isJson);
        const mine = batches.find((batch) => textAt(jsonAt(batch, 'metadata'), nameKey) === name);
        const id = mine && textAt(mine, 'id');
        if (id) return { id, isCertain: true } satisfies SentBatch;
        const last = batches.at(-1);
        const isOlder = (countAt(last, 'created_at') ?? 0) * 1_000 < sentAt.getTime() - earlierMs;
        if (last === undefined || isOlder || (isJson(list) && list['has_more'] !== true)) return null;
        after = textAt(last, 'id');
      }
      return null;
    },
    async progress(id, signal) {
      const batch = await batchOf(id, signal);
      const status = textAt(batch, 'status') ?? '';
      if (ended.has(status)) return { state: 'ended', reason: null, mayComeAgain: false };
      if (status !== 'failed') return { state: 'running', reason: null, mayComeAgain: false };
      const errors = listAt(jsonAt(batch, 'errors'), 'data').filter(isJson);
      const [first] = errors;
      const mayComeAgain = errors.some((error) => later.test(`${textAt(error, 'code')} ${textAt(error, 'message')}`));
      return { state: 'failed', reason: (first && textAt(first, 'message')) ?? null, mayComeAgain };
    },
    async *results(id, signal) {
      const batch = await batchOf(id, signal);
      for (const file of [textAt(batch, 'output_file_id'), textAt(batch, 'error_file_id')]) {
        if (file !== null) yield* linesIn(file, signal);
      }
    },
    async cancel(id, signal) {
      await known(ask('post', `/batches/${encodeURIComponent(id)}/cancel`, signal));
    },
    async forget(id, signal) {
      const batch = await batchOf(id, signal);
      for (const name of ['input_file_id', 'output_file_id', 'error_file_id'])
        await remove(textAt(batch, name), signal);
    },
  };
}

function lineOf({ customId, request }: BatchLine): string {
  const head = `{"custom_id":${JSON.stringify(customId)},"method":"POST","url":${JSON.stringify(request.path)}`;
  return `${head},"body":${request.body}}\n`;
}

function resultOf(line: Json): BatchLineResult {
  const customId = textAt(line, 'custom_id') ?? '';
  const response = jsonAt(line, 'response');
  const status = countAt(response, 'status_code');
  if (status !== null && status > 0) {
    const requestId = textAt(response, 'request_id');
    const headers = { 'content-type': 'application/json', ...(requestId !== null && { 'x-request-id': requestId }) };
    return { customId, type: 'answered', answer: { status, headers, body: JSON.stringify(response['body'] ?? null) } };
  }
  const error = jsonAt(line, 'error');
  const code = textAt(error, 'code') ?? '';
  if (/expired/i.test(code)) return { customId, type: 'expired' };
  if (/cancell?ed/i.test(code)) return { customId, type: 'canceled' };
  const body = JSON.stringify({
    error: { message: textAt(error, 'message') ?? 'It gave no reason.', type: null, param: null, code: code || null },
  });
  return { customId, type: 'answered', answer: { status: 500, headers: { 'content-type': 'application/json' }, body } };
}

/** A form with a file for a batch, as its bytes: only those are sent. */
function formOf(fileName: string, text: string): { body: Uint8Array; headers: Record<string, string> } {
  let boundary = 'hearth-boundary';
  while (text.includes(boundary)) boundary += '-';
  const part = (head: string, content: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
  const file = `name="file"; filename="${fileName}"\r\nContent-Type: application/jsonl`;
  const body = `${part('name="purpose"', 'batch')}${part(file, text)}--${boundary}--\r\n`;
  return { body: Buffer.from(body), headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}

function encoded(body: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Told by whoever reads it.
    return undefined;
  }
}

/** An answer that came with others, as one that comes over the wire. Throws what the status of a failure says. */
export function openedAnswer(
  { status, headers, body }: BatchLineAnswer,
  deps: { provider: string; isConfigured: boolean },
): ClientAnswer {
  if (status >= 400) throw toFailure({ status, headers, text: body }, deps);
  async function* bytes(): AsyncGenerator<Uint8Array, void> {
    yield new TextEncoder().encode(body);
  }
  return { status, headers, body: bytes(), release: () => {}, close: () => {} };
}
