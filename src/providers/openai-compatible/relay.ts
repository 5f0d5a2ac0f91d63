import type { ChatRequest, OriginalRequest } from '../../core/chat.ts';
import type { StreamEvent, Warning } from '../../core/events.ts';
import { unknownTimings } from '../../core/usage.ts';
import { bufferOf } from '../../wire/buffers.ts';
import { removeKeys, replaceValues } from '../../wire/json-text.ts';
import type { AnswerPassing } from './answer.ts';
import { failureOf, unreadable } from './errors.ts';
import { createResponsesReader } from './from-responses.ts';
import { createCompletionReader } from './from-wire.ts';
import type { ChosenModel } from './models.ts';
import type { ServiceRow } from './presets.ts';
import type { AnswerReader, ReaderDeps } from './reader.ts';
import { toUsage } from './usage.ts';
import { isJson, type Json, jsonAt, listAt, textAt } from './wire.ts';

/** A request as it is sent, and how its answer is read. */
export interface SentRequest {
  /** Under the base address. */
  path: string;
  body: Uint8Array;
  headers: Readonly<Record<string, string>>;
  comesWhole: boolean;
  /** What of the request does not go with it. */
  warnings: readonly Warning[];
  /** How many answers it asks for. */
  choices: number;
  passing: AnswerPassing;
  createReader(deps: ReaderDeps): AnswerReader;
}

const doneRecord = Buffer.from('data: [DONE]\n\n');

/** Endpoints whose bodies pass, and what the service must have for them. */
const relayed: Readonly<
  Record<
    string,
    {
      has(row: ServiceRow): boolean;
      asksForUsage: boolean;
      /** Of its streams; left out: their last event says that they end. */
      endRecord?: Uint8Array;
      createReader: SentRequest['createReader'];
    }
  >
> = {
  '/v1/chat/completions': {
    has: () => true,
    asksForUsage: true,
    endRecord: doneRecord,
    createReader: createCompletionReader,
  },
  '/v1/completions': {
    has: ({ endpoints }) => endpoints.completions,
    asksForUsage: true,
    endRecord: doneRecord,
    createReader: createCompletionReader,
  },
  '/v1/responses': {
    has: ({ endpoints }) => endpoints.responses,
    asksForUsage: false,
    createReader: createResponsesReader,
  },
  '/v1/embeddings': {
    has: ({ endpoints }) => endpoints.embeddings,
    asksForUsage: false,
    createReader: createVectorReader,
  },
};

/** Whether requests of this dialect and path pass as they came, as far as the service has such a thing. */
export function relays({ dialect, path }: Pick<OriginalRequest, 'dialect' | 'path'>, row: ServiceRow): boolean {
  return dialect === 'openai' && Object.hasOwn(relayed, path) && relayed[path]!.has(row);
}

/**
 * Whether and how a request can pass as it came; null: it has to be translated. Of the body only what must change does: the
 * name of the model, the limit of tokens under the name that the service reads, and the wish for usage in a stream.
 */
export function relayPlan({ original }: ChatRequest, { id, row }: ChosenModel): SentRequest | null {
  if (!original || !relays(original, row)) return null;
  const endpoint = relayed[original.path]!;
  const { body } = original;
  const changes: Json = {};
  if (body['model'] !== id) changes['model'] = id;
  const limit = body['max_completion_tokens'] ?? null;
  if (limit !== null && (body['max_tokens'] ?? null) === null && !row.takesBothLimits) changes['max_tokens'] = limit;
  const isOurWish =
    endpoint.asksForUsage &&
    body['stream'] === true &&
    row.streamUsage === 'asked' &&
    jsonAt(body, 'stream_options')['include_usage'] !== true;
  if (isOurWish) changes['stream_options'] = { ...jsonAt(body, 'stream_options'), include_usage: true };
  return {
    path: original.path.slice('/v1'.length),
    body: changed(original, changes),
    headers: passedHeaders(original.headers),
    comesWhole: body['stream'] !== true,
    warnings: [],
    choices: choicesOf(body),
    passing: {
      isRelayed: true,
      passed: isOurWish ? withoutUsage : (record) => record,
      ...(endpoint.endRecord && { endRecord: endpoint.endRecord }),
    },
    createReader: endpoint.createReader,
  };
}

/** How many answers a body asks for: so many to each of its prompts. */
function choicesOf({ n, prompt }: Json): number {
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1;
  return prompts * (typeof n === 'number' && n > 1 ? Math.floor(n) : 1);
}

/** The body with some members set; without any the very bytes that came. */
function changed({ bytes }: OriginalRequest, changes: Json): Uint8Array {
  if (Object.keys(changes).length === 0) return bytes;
  return new TextEncoder().encode(replaceValues(new TextDecoder().decode(bytes), changes));
}

/** Headers of the connection to us mean nothing to the service, and those of keys are not the client's to send. */
const ownHeaders =
  /^(accept.*|authorization|connection|content-.*|cookie|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|x-api-key)$/;

function passedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ownHeaders.test(name)));
}

const usageAtEnd = Buffer.from(',"usage":null}\n\n');
const endWithout = Buffer.from('}\n\n');

/** A record without what it holds only because usage was asked for: that of the last, and `null` in all others. */
function withoutUsage(record: Uint8Array, json: unknown): Uint8Array | null {
  if (isUsageChunk(json)) return null;
  if (!isJson(json) || json['usage'] !== null) return record;
  const bytes = bufferOf(record);
  const end = bytes.length - usageAtEnd.length;
  // Mostly it is the last member, and each piece of an answer comes here.
  if (end > 0 && bytes.compare(usageAtEnd, 0, usageAtEnd.length, end) === 0) {
    return Buffer.concat([bytes.subarray(0, end), endWithout]);
  }
  const text = bytes.toString();
  return text.match(/^data:/gm)?.length === 1 ? Buffer.from(removeKeys(text, ['usage'])) : record;
}

/** The record that `include_usage` adds: no choices, and the usage. */
function isUsageChunk(json: unknown): boolean {
  if (!isJson(json) || !Array.isArray(json['choices'])) return false;
  return json['choices'].length === 0 && isJson(json['usage']);
}

/** Reads relayed vectors: all that meters want of them is what they cost. */
function createVectorReader(deps: ReaderDeps): AnswerReader {
  let answer: Json = {};
  return {
    read(json): StreamEvent[] {
      const failure = failureOf(json, deps);
      if (failure) throw failure;
      if (!isJson(json) || listAt(json, 'data').length === 0) {
        throw unreadable({ status: 200, headers: {}, text: JSON.stringify(json) ?? '' }, deps);
      }
      answer = json;
      const model = textAt(json, 'model') ?? deps.model;
      return [{ type: 'start', responseId: null, model, usage: vectorUsage(json, deps), warnings: deps.warnings }];
    },
    end: () => [
      {
        type: 'finish',
        reason: 'stop',
        rawReason: null,
        stopSequence: null,
        usage: vectorUsage(answer, deps),
        timings: unknownTimings,
      },
    ],
  };
}

function vectorUsage(answer: Json, { row }: ReaderDeps) {
  return { ...toUsage(answer['usage'], row), outputTokens: 0 };
}
