import type { FastifyReply } from 'fastify';
import { systemClock } from '../../src/core/clock.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { ndjsonFraming, type SseItem, sendStream, sseFraming } from '../../src/http/answer/answer.ts';
import type { Framing } from '../../src/http/answer/framing.ts';
import { toMessageRecords } from '../../src/http/anthropic/messages/records.ts';
import { toEnvelopeRecords } from '../../src/http/envelope/envelope.ts';
import { toGenerateRecords } from '../../src/http/native/generate/from-core.ts';
import { toChatLines } from '../../src/http/ollama/chat/from-core.ts';
import { toGenerateLines } from '../../src/http/ollama/generate/from-core.ts';
import { toGenerateEvents } from '../../src/http/ollama/generate/generate.ts';
import { toChatRecords } from '../../src/http/openai/chat/from-core.ts';
import { toCompletionRecords } from '../../src/http/openai/completions/from-core.ts';
import { streamForm } from '../../src/http/openai/objects/stream.ts';
import { responseFraming, toSseItem } from '../../src/http/openai/responses/create.ts';
import { createResponseWriter } from '../../src/http/openai/responses/from-core.ts';
import { newResponse } from '../../src/http/openai/responses/head.ts';
import { createLogger } from '../../src/observe/logger.ts';
import type { AnswerKind } from './mapping-events.ts';

/** A dialect's stream as its route makes it. */
export interface MappedDialect {
  name: string;
  /** What its streams can hold of an answer. */
  kinds: readonly AnswerKind[];
  /** Writes one answer into a response that goes nowhere; the bytes that a client would have got. */
  send(events: AsyncIterable<StreamEvent>): Promise<number>;
}

const log = createLogger('silent');
const head = {
  id: 'chatcmpl-0123456789abcdef01234567',
  created: 1_700_000_000,
  model: 'bench',
  system_fingerprint: 'fp_1',
};
const options = { choices: 1, includeUsage: true, progressClock: null };
const lineHead = { model: 'bench', now: systemClock.now, elapsedMs: () => 1_000, preparedMs: 0 };
const facts = {
  model: 'bench',
  provider: 'local',
  cost: () => 0,
  requestId: 'req_1',
  latencyMs: () => 1_000,
  costNanoUsd: () => null,
};
const wish = { omitsThinking: false, appliedEdits: () => null, hasBegun: false };

const all: readonly AnswerKind[] = ['text', 'reasoning', 'tool call', 'log probabilities'];
const withoutLogprobs: readonly AnswerKind[] = ['text', 'reasoning', 'tool call'];
const textOnly: readonly AnswerKind[] = ['text', 'reasoning'];

/** Every stream of every dialect, through the mapper and the writer of its route. */
export const mappedDialects: readonly MappedDialect[] = [
  dialect('OpenAI chat', all, streamForm.framing, (events) =>
    toChatRecords(head, events, { ...options, isOlderForm: false, customNames: new Set() }),
  ),
  dialect('OpenAI completions', ['text', 'log probabilities'], streamForm.framing, (events) =>
    toCompletionRecords(head, events, { ...options, echoOf: () => '' }),
  ),
  dialect('OpenAI responses', all, responseFraming, toResponseRecords),
  dialect('Anthropic messages', withoutLogprobs, sseFraming(), (events) => toMessageRecords('msg_1', events, wish)),
  dialect('Ollama chat', all, ndjsonFraming, (events) => toChatLines(lineHead, events)),
  dialect('Ollama generate', ['text', 'reasoning', 'log probabilities'], ndjsonFraming, (events) =>
    toGenerateLines({ ...lineHead, requestId: null, cost: () => 0 }, events),
  ),
  dialect('native /generate/stream', textOnly, sseFraming(), (events) =>
    toGenerateRecords(events, facts, { endsWithDone: false }),
  ),
  dialect('seed 000 /api/generate', textOnly, sseFraming(), (events) =>
    toGenerateEvents({ ...lineHead, cost: () => 0, requestId: 'req_1' }, events),
  ),
  dialect('seed 002 /api/v1/chat', textOnly, sseFraming(), (events) =>
    toGenerateRecords(events, facts, { endsWithDone: true }),
  ),
  dialect('seed 004 /messages/stream', withoutLogprobs, sseFraming(), (events) =>
    toEnvelopeRecords(toMessageRecords('msg_1', events, wish)),
  ),
];

function dialect<Item>(
  name: string,
  kinds: readonly AnswerKind[],
  framing: Framing<Item>,
  toRecords: (events: AsyncIterable<StreamEvent>) => AsyncIterable<Item>,
): MappedDialect {
  return {
    name,
    kinds,
    send: (events) =>
      new Promise((resolve, reject) => {
        const reply = nowhere(resolve, reject);
        sendStream(reply, toRecords(events), { framing, gone: new AbortController(), clock: systemClock, log });
      }),
  };
}

/** A reply whose socket takes everything at once. `onEnd` gets the bytes; a stream that breaks off is a failure. */
function nowhere(onEnd: (bytes: number) => void, onBreak: (error: Error) => void): FastifyReply {
  let bytes = 0;
  const raw = {
    destroyed: false,
    writableLength: 0,
    writeHead() {},
    write(text: string) {
      bytes += Buffer.byteLength(text);
      return true;
    },
    end: () => onEnd(bytes),
    destroy: () => onBreak(new Error('a stream broke off')),
  };
  return { raw, request: { id: 'req_1' }, getHeaders: () => ({}), hijack() {} } as unknown as FastifyReply;
}

async function* toResponseRecords(events: AsyncIterable<StreamEvent>): AsyncGenerator<SseItem> {
  const writer = createResponseWriter(newResponse({ input: '' }, { id: 'resp_1', createdAtMs: 0 }), {
    kinds: new Map(),
    groups: new Map(),
    isSummary: false,
    sealReasoning: null,
    providerId: () => 'local',
    nowMs: () => 0,
  });
  for await (const event of events) for (const written of writer.write(event)) yield toSseItem(written);
}
