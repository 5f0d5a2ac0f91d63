import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSeal, sealPrefix } from '../../../../src/auth/seal.ts';
import { AppError } from '../../../../src/core/errors.ts';
import type { StreamEvent } from '../../../../src/core/events.ts';
import {
  createResponseWriter,
  type ResponseEvent,
  type ResponseWriter,
} from '../../../../src/http/openai/responses/from-core.ts';
import { newResponse, unsaidSampling } from '../../../../src/http/openai/responses/head.ts';
import { replayOf } from '../../../../src/http/openai/responses/replay.ts';
import { createSealed } from '../../../../src/http/openai/responses/sealed.ts';
import type { ToolKind } from '../../../../src/http/openai/responses/tools.ts';
import { samplingDefaults } from '../../../../src/worker/llama/sampler.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../../../support/fake-engine.ts';
import { readSdkKeys } from './sdk-keys.ts';

const id = `resp_${'a'.repeat(32)}`;
const ids = (prefix: string, place: number) => `${prefix}_${'a'.repeat(32)}${place.toString(16).padStart(4, '0')}`;
const sealed = createSealed(createSeal(randomBytes(32)), 'me');

interface Wishes {
  isSummary?: boolean;
  isSealed?: boolean;
  kinds?: Record<string, ToolKind>;
}

function newWriter({ isSummary = false, isSealed = false, kinds = {} }: Wishes = {}): ResponseWriter {
  return createResponseWriter(newResponse({ input: 'Hi' }, { id, createdAtMs: 1_000_500 }), {
    kinds: new Map(Object.entries(kinds)),
    groups: new Map(),
    isSummary,
    sealReasoning: isSealed ? sealed.sealReasoning : null,
    providerId: () => 'local',
    nowMs: () => 2_000_500,
  });
}

function write(events: StreamEvent[], wishes: Wishes = {}) {
  const writer = newWriter(wishes);
  return { written: events.flatMap((event) => writer.write(event)), response: writer.response() };
}

const typesOf = (events: readonly ResponseEvent[]) => events.map(({ type }) => type.replace('response.', ''));
const reasoningEvents = (pieces: string[], blockId: number): StreamEvent[] => [
  { type: 'reasoning-start', blockId },
  ...pieces.map((text): StreamEvent => ({ type: 'reasoning-delta', blockId, text })),
  { type: 'reasoning-end', blockId, signature: null },
];

describe('the stream of a response', () => {
  it('of text is the golden transcript', () => {
    const { written, response } = write([startEvent(), ...textEvents(['Hel', 'lo'], 0), finishEvent(2)]);
    const place = { item_id: ids('msg', 0), output_index: 0, content_index: 0 };
    const part = { type: 'output_text', annotations: [], logprobs: [], text: 'Hello' };
    const item = { id: ids('msg', 0), type: 'message', status: 'completed', role: 'assistant', content: [part] };
    const begun = { ...response, status: 'in_progress', completed_at: null, output: [], usage: null };
    expect(written).toEqual([
      { type: 'response.created', sequence_number: 0, response: begun },
      { type: 'response.in_progress', sequence_number: 1, response: begun },
      {
        type: 'response.output_item.added',
        sequence_number: 2,
        output_index: 0,
        item: { ...item, status: 'in_progress', content: [] },
      },
      { type: 'response.content_part.added', sequence_number: 3, ...place, part: { ...part, text: '' } },
      { type: 'response.output_text.delta', sequence_number: 4, ...place, delta: 'Hel', logprobs: [] },
      { type: 'response.output_text.delta', sequence_number: 5, ...place, delta: 'lo', logprobs: [] },
      { type: 'response.output_text.done', sequence_number: 6, ...place, text: 'Hello', logprobs: [] },
      { type: 'response.content_part.done', sequence_number: 7, ...place, part },
      { type: 'response.output_item.done', sequence_number: 8, output_index: 0, item },
      { type: 'response.completed', sequence_number: 9, response },
    ]);
    expect(response).toMatchObject({
      id,
      object: 'response',
      created_at: 1_000,
      completed_at: 2_000,
      status: 'completed',
      model: 'tiny',
      output: [item],
      usage: {
        input_tokens: 5,
        input_tokens_details: { cached_tokens: 2, cache_write_tokens: 0 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 7,
      },
    });
  });

  it('of reasoning, text and two calls has one item after the other, each under one id', () => {
    const { written, response } = write([
      startEvent(),
      ...reasoningEvents(['I ', 'think'], 0),
      ...textEvents(['So'], 1),
      ...toolCallEvents(2, 'call_1', 'look', ['{"a"', ':1}']),
      ...toolCallEvents(3, 'call_2', 'rest', []),
      finishEvent(9, 'tool_calls'),
    ]);
    expect(typesOf(written)).toEqual([
      'created',
      'in_progress',
      ...['output_item.added', 'content_part.added', 'reasoning_text.delta', 'reasoning_text.delta'],
      ...['reasoning_text.done', 'content_part.done', 'output_item.done'],
      ...['output_item.added', 'content_part.added', 'output_text.delta'],
      ...['output_text.done', 'content_part.done', 'output_item.done'],
      ...['output_item.added', 'function_call_arguments.delta', 'function_call_arguments.delta'],
      ...['function_call_arguments.done', 'output_item.done'],
      ...['output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done'],
      'completed',
    ]);
    expect(written.map(({ sequence_number }) => sequence_number)).toEqual(written.map((_event, index) => index));
    expect(response.output).toEqual([
      {
        id: ids('rs', 0),
        type: 'reasoning',
        status: 'completed',
        summary: [],
        content: [{ type: 'reasoning_text', text: 'I think' }],
        encrypted_content: null,
      },
      expect.objectContaining({ id: ids('msg', 1), type: 'message' }),
      {
        id: ids('fc', 2),
        type: 'function_call',
        status: 'completed',
        call_id: 'call_1',
        name: 'look',
        arguments: '{"a":1}',
      },
      expect.objectContaining({ id: ids('fc', 3), call_id: 'call_2', arguments: '{}' }),
    ]);
    for (const [index, item] of response.output.entries()) {
      const own = written.filter((event) => event['output_index'] === index && 'item_id' in event);
      expect(new Set(own.map((event) => event['item_id']))).toEqual(new Set([item.id]));
    }
  });

  it('gives reasoning as a summary where one was asked for, and seals it where that was', () => {
    const { written, response } = write([startEvent(), ...reasoningEvents(['Hm'], 0), finishEvent(1)], {
      isSummary: true,
      isSealed: true,
    });
    expect(typesOf(written).slice(2, -1)).toEqual([
      'output_item.added',
      'reasoning_summary_part.added',
      'reasoning_summary_text.delta',
      'reasoning_summary_text.done',
      'reasoning_summary_part.done',
      'output_item.done',
    ]);
    const [item] = response.output;
    expect(item).toMatchObject({ summary: [{ type: 'summary_text', text: 'Hm' }] });
    const encrypted = String(item!['encrypted_content']);
    expect(encrypted.startsWith(sealPrefix)).toBe(true);
    expect(sealed.openReasoning(encrypted)).toMatchObject({ text: 'Hm', origin: { provider: 'local', model: 'tiny' } });
  });

  it('gives the input of a custom tool as plain text, escapes undone wherever they are cut', () => {
    const input = 'a "quoted"\n\tline \\ é 😀';
    const json = JSON.stringify({ input }).replace('é', '\\u00e9').replace('😀', '\\ud83d\\ude00');
    for (const size of [1, 2, 3, 5, 7, json.length]) {
      const pieces = json.match(new RegExp(`.{1,${size}}`, 'gs'))!;
      const { written, response } = write(
        [startEvent(), ...toolCallEvents(0, 'call_1', 'apply', pieces), finishEvent(9, 'tool_calls')],
        { kinds: { apply: 'custom' } },
      );
      const deltas = written.filter(({ type }) => type === 'response.custom_tool_call_input.delta');
      expect(deltas.map((event) => event['delta']).join('')).toBe(input);
      expect(deltas.every((event) => String(event['delta']).isWellFormed())).toBe(true);
      expect(written.find(({ type }) => type === 'response.custom_tool_call_input.done')).toMatchObject({ input });
      expect(response.output).toEqual([
        { id: ids('ctc', 0), type: 'custom_tool_call', status: 'completed', call_id: 'call_1', name: 'apply', input },
      ]);
    }
  });

  it.each([
    ['{"other": 1}', '{"other": 1}'],
    ['{"x": 1, "input": "late"}', 'late'],
    ['no JSON', 'no JSON'],
    ['{"input": "cut off', 'cut off'],
  ])('gives what the model wrote for a custom tool as %s', (json, input) => {
    const { response } = write([startEvent(), ...toolCallEvents(0, 'c', 'run', [json]), finishEvent(1)], {
      kinds: { run: 'custom' },
    });
    expect(response.output).toMatchObject([{ type: 'custom_tool_call', input }]);
  });

  it('gives calls of tools that clients run by name as their own items, and as functions where that cannot be', () => {
    const kinds = { apply_patch: 'apply_patch', local_shell: 'local_shell' } as const;
    const patch = { type: 'update_file', path: 'a.ts', diff: '-a\n+b' };
    const { written, response } = write(
      [
        startEvent(),
        ...toolCallEvents(0, 'call_1', 'apply_patch', [JSON.stringify(patch)]),
        ...toolCallEvents(1, 'call_2', 'local_shell', ['{"command":["ls","-l"]}']),
        ...toolCallEvents(2, 'call_3', 'local_shell', ['{"command":"ls"}']),
        finishEvent(9, 'tool_calls'),
      ],
      { kinds },
    );
    expect(response.output).toEqual([
      { id: ids('apc', 0), type: 'apply_patch_call', status: 'completed', call_id: 'call_1', operation: patch },
      {
        id: ids('lsh', 1),
        type: 'local_shell_call',
        status: 'completed',
        call_id: 'call_2',
        action: {
          type: 'exec',
          command: ['ls', '-l'],
          env: {},
          timeout_ms: null,
          user: null,
          working_directory: null,
        },
      },
      expect.objectContaining({ type: 'function_call', name: 'local_shell', arguments: '{"command":"ls"}' }),
    ]);
    expect(written.filter(({ type }) => type === 'response.output_item.added')).toHaveLength(3);
  });

  it.each([
    ['length', 'max_output_tokens'],
    ['context_full', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
    ['refusal', 'content_filter'],
  ] as const)('that ends by %s is incomplete by %s, its last item too', (reason, word) => {
    const { written, response } = write([startEvent(), ...textEvents(['Hel'], 0), finishEvent(1, reason)]);
    expect(written.at(-1)).toMatchObject({ type: 'response.incomplete' });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: word },
      completed_at: null,
      output: [{ status: 'incomplete' }],
    });
  });

  it('leaves the arguments of a call that was cut off before them empty', () => {
    const { response } = write([startEvent(), ...toolCallEvents(0, 'c', 'f', []), finishEvent(1, 'length')]);
    expect(response.output).toMatchObject([{ type: 'function_call', status: 'incomplete', arguments: '' }]);
  });

  it.each([
    ['worker_crashed', 'server_error'],
    ['queue_full', 'rate_limit_exceeded'],
    ['context_length_exceeded', 'context_length_exceeded'],
    ['invalid_request', 'invalid_prompt'],
  ] as const)('that fails by %s ends with response.failed by %s, once, and with what there was', (code, word) => {
    const writer = newWriter();
    for (const event of [startEvent(), ...textEvents(['Hel'], 0).slice(0, 2)]) writer.write(event);
    const last = writer.fail(new AppError(code, 'It went wrong.'));
    expect(typesOf(last)).toEqual(['output_text.done', 'content_part.done', 'output_item.done', 'failed']);
    expect(writer.response()).toMatchObject({
      status: 'failed',
      error: { code: word, message: 'It went wrong.', param: null },
      output: [{ status: 'incomplete', content: [{ text: 'Hel' }] }],
    });
    expect(writer.fail(new AppError(code, 'Again.'))).toEqual([]);
    expect(writer.cancel()).toEqual([]);
  });

  it('that waits begins as queued, and is created once', () => {
    const writer = newWriter();
    expect(typesOf(writer.queue())).toEqual(['created', 'queued']);
    expect(typesOf(writer.write(startEvent()))).toEqual(['in_progress']);
    expect(typesOf(writer.cancel())).toEqual(['incomplete']);
    expect(writer.response().status).toBe('cancelled');
  });

  it('holds log probabilities with the text that they belong to', () => {
    const token = { text: 'Hel', bytes: [72, 101, 108], logprob: -0.5, top: [] };
    const { written, response } = write([
      startEvent(),
      { type: 'logprobs', tokens: [token] },
      ...textEvents(['Hel'], 0),
      finishEvent(1),
    ]);
    const logprobs = [{ token: 'Hel', logprob: -0.5, bytes: [72, 101, 108], top_logprobs: [] }];
    expect(written.find(({ type }) => type === 'response.output_text.delta')).toMatchObject({ logprobs });
    expect(response.output).toMatchObject([{ content: [{ logprobs }] }]);
  });

  it('can be told again from the response, with each text in one piece', () => {
    const events = [
      startEvent(),
      ...reasoningEvents(['Hm'], 0),
      ...textEvents(['Hello'], 1),
      ...toolCallEvents(2, 'call_1', 'f', ['{}']),
      finishEvent(2),
    ];
    const { written, response } = write(events);
    expect(typesOf(replayOf(response))).toEqual(typesOf(written));
    expect(replayOf(response).at(-1)).toEqual(written.at(-1));
  });
});

describe('keys', () => {
  const declared = readSdkKeys();
  const nameOf = (type: string) => {
    const known: Record<string, string> = { output_text: 'Text', custom_tool_call_input: 'CustomToolCallInput' };
    const [subject, ...rest] = type.replace('response.', '').split('.');
    const pascal = (text: string) => text.replace(/(?:^|_)(\w)/g, (_match, letter: string) => letter.toUpperCase());
    return `Response${known[subject!] ?? pascal(subject!)}${rest.map(pascal).join('')}Event`;
  };
  const { written, response } = write(
    [
      startEvent(),
      ...reasoningEvents(['Hm'], 0),
      ...textEvents(['Hello'], 1),
      ...toolCallEvents(2, 'call_1', 'f', ['{}']),
      ...toolCallEvents(3, 'call_2', 'c', ['{"input":"x"}']),
      finishEvent(2),
    ],
    { kinds: { c: 'custom' } },
  );

  it.each([...new Map(written.map((event) => [event.type, event])).entries()])(
    'of %s are those of the SDK',
    (type, event) => {
      const keys = declared.get(nameOf(type));
      expect(keys, `the SDK has no ${nameOf(type)}`).toBeDefined();
      expect(Object.keys(event).sort()).toEqual([...keys!.required].sort());
    },
  );

  it('of a response are those of the SDK, and those that Open Responses has beside them', () => {
    const keys = declared.get('Response')!;
    // The SDK's client adds the text itself.
    expect(keys.required.filter((key) => key !== 'output_text' && !(key in response))).toEqual([]);
    const others = Object.keys(response).filter((key) => ![...keys.required, ...keys.optional].includes(key));
    expect(others.sort()).toEqual(['frequency_penalty', 'presence_penalty', 'store']);
    // Not ours: a newer SDK that has another key shows it here.
    expect(keys.optional.filter((key) => !(key in response)).sort()).toEqual([
      'conversation',
      'image',
      'input_transformations',
      'moderation',
      'prompt',
      'prompt_cache_diagnostics',
      'prompt_cache_options',
      'prompt_cache_retention',
      'tool_usage',
      'user',
    ]);
  });

  it('of items are those of the SDK', () => {
    const names = {
      message: 'ResponseOutputMessage',
      reasoning: 'ResponseReasoningItem',
      function_call: 'ResponseFunctionToolCall',
      custom_tool_call: 'ResponseCustomToolCallItem',
    };
    for (const [type, name] of Object.entries(names)) {
      const keys = declared.get(name)!;
      const item = response.output.find((found) => found.type === type)!;
      expect(keys.required.filter((key) => !(key in item))).toEqual([]);
    }
  });

  it('say of sampling what models of this machine do', () => {
    expect(unsaidSampling).toEqual({ temperature: samplingDefaults.temperature, topP: samplingDefaults.topP });
  });
});
