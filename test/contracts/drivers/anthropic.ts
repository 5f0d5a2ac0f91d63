import type { z } from 'zod';
import { messageAnswer, messageEvent } from '../../../src/http/anthropic/messages/answer-schema.ts';
import { anthropicError } from '../../../src/http/anthropic/objects/answer-schema.ts';
import { envelopeError } from '../../../src/http/envelope/errors.ts';
import { createAnswer, streamRecord } from '../../../src/http/envelope/schema.ts';
import { sseData } from '../../http/harness.ts';
import type { DialectDriver, ReadAnswer, ReadStream } from '../dialect.contract.ts';

type Message = z.infer<typeof messageAnswer>;
type Event = z.infer<typeof messageEvent>;

const messages: DialectDriver = {
  name: 'anthropic messages',
  url: '/v1/messages',
  headers: { 'anthropic-version': '2023-06-01' },
  streamType: 'text/event-stream',
  toBody: ({ prompt, stream, model, maxTokens, stop, tools, toolChoice, isSingleCall, schema }) => ({
    model: model ?? 'tiny',
    messages: [{ role: 'user', content: prompt }],
    max_tokens: maxTokens ?? 1024,
    stream,
    ...(stop && { stop_sequences: stop }),
    ...(tools && {
      tools: tools.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters })),
    }),
    ...((toolChoice || isSingleCall) && {
      tool_choice: {
        ...(typeof toolChoice === 'object' ? { type: 'tool', ...toolChoice } : { type: toolChoice ? 'any' : 'auto' }),
        ...(isSingleCall && { disable_parallel_tool_use: true }),
      },
    }),
    ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
  }),
  readWhole: (body) => read(messageAnswer.parse(body)),
  readStream: (text) =>
    readEvents(
      sseData(text).map((data) => JSON.parse(data)),
      (value) => messageEvent.parse(value),
    ),
  readError(body) {
    const { message, details } = anthropicError.parse(body).error;
    return { message, field: typeof details['field'] === 'string' ? details['field'] : null };
  },
  statuses: { 503: 529 },
  reasons: { stop: 'end_turn', stopSequence: 'stop_sequence', length: 'max_tokens', toolCalls: 'tool_use' },
  fields: { prompt: 'messages', model: 'model' },
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { messages: [{ role: 'robot', content: 'x' }] }, field: 'messages.0.role' },
  ],
  can: { tools: true, forcedTool: true, singleCall: true, schema: true, reasoning: true },
  ping: /^event: ping$/m,
};

const envelope: DialectDriver = {
  ...messages,
  name: 'messages in an envelope',
  url: '/api/v1/messages/create',
  headers: {},
  readWhole: (body) => read(createAnswer.parse(body).data),
  readStream(text) {
    const records = sseData(text).map((data) => streamRecord.parse(JSON.parse(data)));
    const isText = (record: (typeof records)[number]) => record.type === 'text';
    const answer = readEvents(
      records.filter((record) => !isText(record)),
      (value) => messageEvent.parse(value),
    );
    const again = records.map((record) => (record.type === 'text' ? record.text : '')).join('');
    if (again !== answer.text) throw new Error(`the texts differ: ${again}`);
    return answer;
  },
  readError(body) {
    const { error, metadata } = envelopeError.parse(body);
    return { message: error, field: metadata.field ?? null };
  },
  statuses: {},
  ping: /^data: \{"type":"ping"\}$/m,
};

function read({
  content,
  model,
  stop_reason,
  usage,
}: Pick<Message, 'content' | 'model' | 'stop_reason' | 'usage'>): ReadAnswer {
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    reasoning: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
    calls: content.flatMap((block) =>
      block.type === 'tool_use' ? [{ id: String(block.id), name: String(block.name), arguments: block.input }] : [],
    ),
    model,
    reason: stop_reason,
    usage: {
      prompt: usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0),
      cached,
      output: usage.output_tokens,
      total: null,
    },
  };
}

/** Adds events up as the SDK does. */
function readEvents(values: unknown[], parse: (value: unknown) => Event): ReadStream {
  let message: Message | null = null;
  let hasEnded = false;
  let error: unknown = null;
  const inputs = new Map<number, string>();
  for (const value of values) {
    if (typeof value === 'object' && value !== null && 'type' in value && value.type === 'error') {
      const { type, ...rest } = value;
      error = 'success' in value ? rest : { type, ...rest };
      continue;
    }
    const event = parse(value);
    switch (event.type) {
      case 'message_start':
        message = structuredClone(event.message);
        break;
      case 'content_block_start':
        message!.content[event.index] = structuredClone(event.content_block);
        break;
      case 'content_block_delta': {
        const block = message!.content[event.index]!;
        const { delta } = event;
        if (delta.type === 'text_delta' && block.type === 'text') block.text += delta.text;
        if (delta.type === 'thinking_delta' && block.type === 'thinking') block.thinking += delta.thinking;
        if (delta.type === 'input_json_delta') {
          inputs.set(event.index, (inputs.get(event.index) ?? '') + delta.partial_json);
        }
        break;
      }
      case 'content_block_stop': {
        const block = message!.content[event.index]!;
        if (block.type === 'tool_use') block.input = JSON.parse(inputs.get(event.index) ?? '{}');
        break;
      }
      case 'message_delta':
        Object.assign(message!, event.delta);
        Object.assign(message!.usage, event.usage);
        break;
      case 'message_stop':
        hasEnded = true;
    }
  }
  if (message === null) throw new Error('there was no message_start');
  return { ...read(message), hasEnded, error };
}

/** Where the fourth specification asks for streams; its bodies say nothing of them. */
const apart: DialectDriver = {
  ...envelope,
  name: 'messages in an envelope, streams apart',
  streamUrl: '/api/v1/messages/stream',
  toBody: (ask) => envelope.toBody({ ...ask, stream: false }),
};

/** Anthropic's messages, and the fourth specification's. */
export const anthropicDrivers: readonly DialectDriver[] = [messages, envelope, apart];
