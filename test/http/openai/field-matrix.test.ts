import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import type { DecisionRequest } from '../../../src/core/decision.ts';
import type { EmbeddingRequest, RankRequest } from '../../../src/core/embedding.ts';
import { recordedTypes } from '../../support/pinned-types.ts';
import { type Example, testFieldMatrix } from '../field-matrix.ts';
import { createHarness, type Harness } from '../harness.ts';

/** What must become of a field: a part of what the provider gets, a refusal that names it, or its name in a header. */
type Fate =
  | { body: object; arrives: object }
  | { body: object; answers: (body: never, text: string) => void }
  | { body: object; refused: string }
  | { body: object; ignored: string };

/** An interface of the SDK with the fate of each of its keys, under the key's name. */
interface Matrix {
  type: string;
  url: string;
  fates: Record<string, Fate>;
}

const chatUrl = '/v1/chat/completions';
const user = { role: 'user', content: 'Hi' };
const inChat = (input: object) => ({ input });
const tool = { type: 'function', function: { name: 'look' } };
const parameters = { type: 'object', properties: { a: { const: 'sentinel' } } };
const message = (fields: object) => ({ messages: [{ ...user, ...fields }] });
const said = (fields: object) => ({ messages: [{ role: 'assistant', content: 'sentinel', ...fields }, user] });
const part = (fields: object) => ({ messages: [{ role: 'user', content: [fields] }] });
const firstPart = (fields: object) =>
  inChat({ messages: [{ role: 'user', content: [expect.objectContaining(fields)] }] });
const breakpoint = { prompt_cache_breakpoint: { mode: 'explicit' } };
const text = { type: 'text', text: 'sentinel' };
const image = { type: 'image_url', image_url: { url: 'https://sentinel.example/a.png', detail: 'low' } };
const sound = { type: 'input_audio', input_audio: { data: 'c2VudGluZWw=', format: 'wav' } };
const file = (fields: object) => ({ type: 'file', file: { file_data: 'c2VudGluZWw=', ...fields } });
const larkInput = { input: { type: 'string', pattern: '^(?:sentinel)$' } };
const custom = (fields: object) => ({ tools: [{ type: 'custom', custom: { name: 'sentinel', ...fields } }] });
const grammar = { type: 'grammar', grammar: { syntax: 'regex', definition: 'sentinel+' } };
const sentinelTool = inChat({ tools: [expect.objectContaining({ name: 'sentinel' })] });

const sampling = (name: string, value: number, core: string): Record<string, Fate> => ({
  [name]: { body: { [name]: value }, arrives: { sampling: { [core]: value } } },
});
const ignored = (name: string, value: unknown): Record<string, Fate> => ({
  [name]: { body: { [name]: value }, ignored: name },
});

const common: Record<string, Fate> = {
  ...sampling('temperature', 0.25, 'temperature'),
  ...sampling('top_p', 0.25, 'topP'),
  ...sampling('seed', 77, 'seed'),
  ...sampling('frequency_penalty', 0.25, 'frequencyPenalty'),
  ...sampling('presence_penalty', 0.25, 'presencePenalty'),
  ...ignored('user', 'sentinel'),
  logit_bias: { body: { logit_bias: { 77: 1 } }, arrives: { sampling: { logitBias: { 77: 1 } } } },
  max_tokens: { body: { max_tokens: 77 }, arrives: { maxTokens: 77 } },
  model: { body: { model: 'sentinel' }, arrives: { model: 'sentinel' } },
  // The fake gives each choice a call of its own.
  n: { body: { n: 3 }, answers: (body: { choices: unknown[] }) => expect(body.choices).toHaveLength(3) },
  stop: { body: { stop: ['sentinel'] }, arrives: { stop: ['sentinel'] } },
  stream: { body: { stream: true }, answers: (_body, answer) => expect(answer).toMatch(/^data: /) },
  stream_options: {
    body: { stream: true, stream_options: { include_usage: true } },
    answers: (_body, answer) => expect(answer).toContain('"choices":[],"usage":{'),
  },
};

const matrices: Matrix[] = [
  {
    type: 'ChatCompletionCreateParamsBase',
    url: chatUrl,
    fates: {
      ...common,
      ...ignored('store', true),
      ...ignored('metadata', { a: 'sentinel' }),
      ...ignored('moderation', { model: 'sentinel' }),
      ...ignored('prompt_cache_key', 'sentinel'),
      ...ignored('prompt_cache_options', { mode: 'implicit' }),
      ...ignored('prompt_cache_retention', '24h'),
      ...ignored('safety_identifier', 'sentinel'),
      ...ignored('service_tier', 'flex'),
      audio: { body: { audio: { voice: 'sentinel', format: 'wav' } }, refused: 'audio' },
      function_call: {
        body: { functions: [{ name: 'look' }], function_call: { name: 'look' } },
        arrives: inChat({ toolChoice: { type: 'tool', name: 'look' } }),
      },
      functions: { body: { functions: [{ name: 'sentinel' }] }, arrives: sentinelTool },
      logprobs: { body: { logprobs: true }, arrives: { logprobs: { top: 0 } } },
      max_completion_tokens: { body: { max_completion_tokens: 77 }, arrives: { maxTokens: 77 } },
      messages: { body: message({ content: 'sentinel' }), arrives: firstPart(text) },
      modalities: { body: { modalities: ['text', 'audio'] }, refused: 'modalities' },
      parallel_tool_calls: {
        body: { tools: [tool], parallel_tool_calls: false },
        arrives: inChat({ parallelToolCalls: false }),
      },
      prediction: {
        body: { prediction: { type: 'content', content: 'sentinel' } },
        arrives: { prediction: 'sentinel' },
      },
      reasoning_effort: { body: { reasoning_effort: 'low' }, arrives: { reasoning: { mode: 'on', effort: 'low' } } },
      response_format: { body: { response_format: { type: 'json_object' } }, arrives: { format: { type: 'json' } } },
      tool_choice: {
        body: { tools: [tool], tool_choice: 'required' },
        arrives: inChat({ toolChoice: { type: 'required' } }),
      },
      tools: { body: { tools: [{ type: 'function', function: { name: 'sentinel' } }] }, arrives: sentinelTool },
      top_logprobs: { body: { logprobs: true, top_logprobs: 7 }, arrives: { logprobs: { top: 7 } } },
      verbosity: {
        body: { verbosity: 'low' },
        arrives: inChat({ messages: [{ role: 'system', content: [{ type: 'text', text: expect.any(String) }] }, {}] }),
      },
      web_search_options: { body: { web_search_options: {} }, refused: 'web_search_options' },
    },
  },
  ...['ChatCompletionSystemMessageParam', 'ChatCompletionDeveloperMessageParam'].map((type): Matrix => {
    const role = type.includes('System') ? 'system' : 'developer';
    const system = { messages: [user, { role, content: 'sentinel', name: 'sentinel' }] };
    const inPlace = inChat({ messages: [{ role: 'user' }, { role: 'system', content: [text] }] });
    return {
      type,
      url: chatUrl,
      fates: {
        role: { body: system, arrives: inPlace },
        content: { body: system, arrives: inPlace },
        name: { body: system, ignored: 'messages.name' },
      },
    };
  }),
  {
    type: 'ChatCompletionUserMessageParam',
    url: chatUrl,
    fates: {
      role: { body: message({ content: 'sentinel' }), arrives: firstPart(text) },
      content: { body: message({ content: [text] }), arrives: firstPart(text) },
      name: { body: message({ name: 'sentinel' }), ignored: 'messages.name' },
    },
  },
  {
    type: 'ChatCompletionAssistantMessageParam',
    url: chatUrl,
    fates: {
      role: { body: said({}), arrives: inChat({ messages: [{ role: 'assistant', content: [text] }, {}] }) },
      content: { body: said({}), arrives: inChat({ messages: [{ content: [text] }, {}] }) },
      refusal: {
        body: said({ content: null, refusal: 'sentinel' }),
        arrives: inChat({ messages: [{ content: [text] }, {}] }),
      },
      audio: { body: said({ audio: { id: 'sentinel' } }), ignored: 'messages.audio' },
      name: { body: said({ name: 'sentinel' }), ignored: 'messages.name' },
      function_call: {
        body: said({ content: null, function_call: { name: 'sentinel', arguments: '{}' } }),
        arrives: inChat({ messages: [{ content: [{ type: 'tool-call', name: 'sentinel' }] }, {}] }),
      },
      tool_calls: {
        body: said({
          content: null,
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'sentinel', arguments: '{}' } },
            { id: 'c2', type: 'custom', custom: { name: 'other', input: 'sentinel' } },
          ],
        }),
        arrives: inChat({
          messages: [
            {
              content: [
                { type: 'tool-call', id: 'c1', name: 'sentinel' },
                { type: 'tool-call', id: 'c2', name: 'other', arguments: { input: 'sentinel' } },
              ],
            },
            {},
          ],
        }),
      },
    },
  },
  {
    type: 'ChatCompletionToolMessageParam',
    url: chatUrl,
    fates: Object.fromEntries(
      ['role', 'content', 'tool_call_id'].map((key) => [
        key,
        {
          body: { messages: [{ role: 'tool', content: 'sentinel', tool_call_id: 'c9' }, user] },
          arrives: inChat({ messages: [{ content: [{ type: 'tool-result', callId: 'c9', content: [text] }] }, {}] }),
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionFunctionMessageParam',
    url: chatUrl,
    fates: Object.fromEntries(
      ['role', 'content', 'name'].map((key) => [
        key,
        {
          body: { messages: [{ role: 'function', content: 'sentinel', name: 'look' }, user] },
          arrives: inChat({ messages: [{ content: [{ type: 'tool-result', name: 'look', content: [text] }] }, {}] }),
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionContentPartText',
    url: chatUrl,
    fates: {
      type: { body: part(text), arrives: firstPart(text) },
      text: { body: part(text), arrives: firstPart(text) },
      prompt_cache_breakpoint: {
        body: part({ ...text, ...breakpoint }),
        ignored: 'messages.content.prompt_cache_breakpoint',
      },
    },
  },
  {
    type: 'ChatCompletionContentPartRefusal',
    url: chatUrl,
    fates: Object.fromEntries(
      ['type', 'refusal'].map((key) => [
        key,
        {
          body: said({ content: [{ type: 'refusal', refusal: 'sentinel' }] }),
          arrives: inChat({ messages: [{ content: [text] }, {}] }),
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionContentPartImage',
    url: chatUrl,
    fates: {
      type: { body: part(image), arrives: firstPart({ type: 'image' }) },
      image_url: {
        body: part(image),
        arrives: firstPart({ source: { type: 'url', url: 'https://sentinel.example/a.png' } }),
      },
      prompt_cache_breakpoint: {
        body: part({ ...image, ...breakpoint }),
        ignored: 'messages.content.prompt_cache_breakpoint',
      },
    },
  },
  {
    type: 'ChatCompletionContentPartImage.ImageURL',
    url: chatUrl,
    fates: {
      url: {
        body: part(image),
        arrives: firstPart({ source: { type: 'url', url: 'https://sentinel.example/a.png' } }),
      },
      detail: { body: part(image), arrives: firstPart({ extra: { openai: { detail: 'low' } } }) },
    },
  },
  {
    type: 'ChatCompletionContentPartInputAudio',
    url: chatUrl,
    fates: {
      type: { body: part(sound), arrives: firstPart({ type: 'opaque', dialect: 'openai', block: sound }) },
      input_audio: { body: part(sound), arrives: firstPart({ block: sound }) },
      prompt_cache_breakpoint: {
        body: part({ ...sound, ...breakpoint }),
        ignored: 'messages.content.prompt_cache_breakpoint',
      },
    },
  },
  {
    type: 'ChatCompletionContentPart.File',
    url: chatUrl,
    fates: {
      type: { body: part(file({})), arrives: firstPart({ type: 'document' }) },
      file: { body: part(file({})), arrives: firstPart({ source: { type: 'bytes', base64: 'c2VudGluZWw=' } }) },
      prompt_cache_breakpoint: {
        body: part({ ...file({}), ...breakpoint }),
        ignored: 'messages.content.prompt_cache_breakpoint',
      },
    },
  },
  {
    type: 'ChatCompletionContentPart.File.File',
    url: chatUrl,
    fates: {
      file_data: { body: part(file({})), arrives: firstPart({ source: { type: 'bytes', base64: 'c2VudGluZWw=' } }) },
      file_id: {
        body: part(file({ file_id: 'sentinel' })),
        arrives: firstPart({ source: { type: 'file', fileId: 'sentinel' } }),
      },
      filename: { body: part(file({ filename: 'sentinel' })), arrives: firstPart({ title: 'sentinel' }) },
    },
  },
  {
    type: 'FunctionDefinition',
    url: chatUrl,
    fates: Object.fromEntries(
      Object.entries({
        name: { name: 'sentinel' },
        description: { description: 'sentinel' },
        parameters: { parameters },
        strict: { strict: true },
      }).map(([key, fields]) => [
        key,
        {
          body: { tools: [{ type: 'function', function: { name: 'look', ...fields } }] },
          arrives: inChat({ tools: [expect.objectContaining(fields)] }),
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionCustomTool.Custom',
    url: chatUrl,
    fates: {
      name: { body: custom({}), arrives: sentinelTool },
      description: {
        body: custom({ description: 'sentinel' }),
        arrives: inChat({ tools: [expect.objectContaining({ description: 'sentinel' })] }),
      },
      format: {
        body: custom({ format: grammar }),
        arrives: inChat({
          tools: [
            expect.objectContaining({
              parameters: expect.objectContaining({
                properties: { input: { type: 'string', pattern: '^(?:sentinel+)$' } },
              }),
            }),
          ],
        }),
      },
    },
  },
  {
    type: 'ChatCompletionCustomTool.Custom.Grammar.Grammar',
    url: chatUrl,
    fates: {
      syntax: {
        body: custom({ format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'start: "sentinel"' } } }),
        arrives: inChat({
          tools: [expect.objectContaining({ parameters: expect.objectContaining({ properties: larkInput }) })],
        }),
      },
      definition: {
        body: custom({ format: grammar }),
        arrives: inChat({
          tools: [expect.objectContaining({ extra: { openai: { type: 'custom', format: grammar } } })],
        }),
      },
    },
  },
  {
    type: 'ChatCompletionAllowedTools',
    url: chatUrl,
    fates: Object.fromEntries(
      ['mode', 'tools'].map((key) => [
        key,
        {
          body: {
            tools: [tool, { type: 'custom', custom: { name: 'write' } }],
            tool_choice: {
              type: 'allowed_tools',
              allowed_tools: { mode: 'required', tools: [{ type: 'custom', custom: { name: 'write' } }] },
            },
          },
          arrives: inChat({
            tools: [expect.objectContaining({ name: 'look' }), expect.objectContaining({ name: 'write' })],
            toolChoice: { type: 'allowed', mode: 'required', names: ['write'] },
          }),
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionNamedToolChoiceCustom',
    url: chatUrl,
    fates: Object.fromEntries(
      ['type', 'custom'].map((key) => [
        key,
        {
          body: { ...custom({}), tool_choice: { type: 'custom', custom: { name: 'sentinel' } } },
          arrives: inChat({ toolChoice: { type: 'tool', name: 'sentinel' } }),
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionPredictionContent',
    url: chatUrl,
    fates: Object.fromEntries(
      ['type', 'content'].map((key) => [
        key,
        {
          body: { prediction: { type: 'content', content: [text, text] } },
          arrives: { prediction: 'sentinelsentinel' },
        },
      ]),
    ),
  },
  {
    type: 'ChatCompletionStreamOptions',
    url: chatUrl,
    fates: {
      include_usage: common['stream_options']!,
      include_obfuscation: {
        body: { stream: true, stream_options: { include_obfuscation: false } },
        ignored: 'stream_options.include_obfuscation',
      },
    },
  },
  {
    type: 'CompletionCreateParamsBase',
    url: '/v1/completions',
    fates: {
      ...common,
      best_of: { body: { n: 1, best_of: 9 }, refused: 'best_of' },
      echo: {
        body: { prompt: 'sentinel', echo: true },
        answers: (body: { choices: { text: string }[] }) => expect(body.choices[0]!.text).toMatch(/^sentinel/),
      },
      logprobs: { body: { logprobs: 3 }, arrives: { logprobs: { top: 3 } } },
      prompt: { body: { prompt: [[77, 78]] }, arrives: { input: { type: 'text', prompt: [77, 78] } } },
      suffix: { body: { suffix: 'sentinel' }, arrives: { input: { suffix: 'sentinel' } } },
    },
  },
  {
    type: 'EmbeddingCreateParams',
    url: '/v1/embeddings',
    fates: {
      ...ignored('user', 'sentinel'),
      input: { body: { input: ['sentinel'] }, arrives: { inputs: ['sentinel'] } },
      model: { body: { model: 'sentinel' }, arrives: { model: 'sentinel' } },
      dimensions: { body: { dimensions: 77 }, arrives: { dimensions: 77 } },
      encoding_format: {
        body: { encoding_format: 'base64' },
        answers: (body: { data: { embedding: unknown }[] }) => expect(body.data[0]!.embedding).toBeTypeOf('string'),
      },
    },
  },
];

type Fields = Record<string, unknown>;
const inChatBody = (value: object) => ({ messages: [user], ...value });
const choosing = (choice: Fields) => inChatBody({ tools: [tool], tool_choice: choice });
const calling = (toolCall: Fields) =>
  inChatBody({
    messages: [
      user,
      { role: 'assistant', content: null, tool_calls: [toolCall] },
      { role: 'tool', tool_call_id: toolCall['id'], content: 'Seen' },
    ],
  });
const functionCall = { name: 'look', arguments: '{"a":"sentinel"}' };
const customCall = { name: 'write', input: 'sentinel' };
const inFormat = (response_format: Fields) => inChatBody({ response_format });
const labelled = { name: 'sentinel', description: 'Sentinel', schema: parameters, strict: true };

/** Types that stand in others, each with one value that has all of its keys. */
const nestedExamples: Record<string, Example> = {
  ChatCompletionAllowedToolChoice: {
    value: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [tool] } },
    at: choosing,
    others: { allowed_tools: { mode: 'required', tools: [tool] } },
  },
  ChatCompletionNamedToolChoice: {
    value: { type: 'function', function: { name: 'look' } },
    at: choosing,
    others: { function: { name: 'no-function' } },
  },
  'ChatCompletionNamedToolChoice.Function': {
    value: { name: 'look' },
    at: (chosen: Fields) => choosing({ type: 'function', function: chosen }),
    others: { name: 'no-name' },
  },
  'ChatCompletionNamedToolChoiceCustom.Custom': {
    value: { name: 'sentinel' },
    at: (chosen: Fields) => inChatBody({ ...custom({}), tool_choice: { type: 'custom', custom: chosen } }),
    others: { name: 'no-name' },
  },
  ChatCompletionFunctionCallOption: {
    value: { name: 'look' },
    at: (chosen: Fields) => inChatBody({ functions: [{ name: 'look' }], function_call: chosen }),
    others: { name: 'no-name' },
  },
  'ChatCompletionCreateParams.Function': {
    value: { name: 'sentinel', description: 'Sentinel', parameters },
    at: (given: Fields) => inChatBody({ functions: [given] }),
  },
  'ChatCompletionAssistantMessageParam.FunctionCall': {
    value: functionCall,
    at: (given: Fields) =>
      inChatBody({ messages: [user, { role: 'assistant', content: null, function_call: given }, user] }),
  },
  ChatCompletionFunctionTool: {
    value: tool,
    at: (given: Fields) => inChatBody({ tools: [given] }),
    others: { function: { name: 'other' } },
  },
  ChatCompletionCustomTool: {
    value: { type: 'custom', custom: { name: 'write' } },
    at: (given: Fields) => inChatBody({ tools: [given] }),
    others: { custom: { name: 'other' } },
  },
  'ChatCompletionCustomTool.Custom.Text': {
    value: { type: 'text' },
    at: (format: Fields) => inChatBody(custom({ format })),
  },
  'ChatCompletionCustomTool.Custom.Grammar': {
    value: grammar,
    at: (format: Fields) => inChatBody(custom({ format })),
    others: { grammar: { syntax: 'regex', definition: 'other+' } },
  },
  ChatCompletionMessageFunctionToolCall: {
    value: { id: 'c1', type: 'function', function: functionCall },
    at: calling,
    others: { function: { name: 'other', arguments: '{}' } },
    elsewhere: { type: 'a call with a function is one of a function' },
  },
  'ChatCompletionMessageFunctionToolCall.Function': {
    value: functionCall,
    at: (given: Fields) => calling({ id: 'c1', type: 'function', function: given }),
  },
  ChatCompletionMessageCustomToolCall: {
    value: { id: 'c1', type: 'custom', custom: customCall },
    at: calling,
    others: { custom: { name: 'other', input: '' } },
  },
  'ChatCompletionMessageCustomToolCall.Custom': {
    value: customCall,
    at: (given: Fields) => calling({ id: 'c1', type: 'custom', custom: given }),
  },
  'ChatCompletionContentPartInputAudio.InputAudio': {
    value: { data: 'c2VudGluZWw=', format: 'wav' },
    at: (input_audio: Fields) => inChatBody(part({ type: 'input_audio', input_audio })),
  },
  ResponseFormatText: { value: { type: 'text' }, at: inFormat, others: { type: 'json_object' } },
  ResponseFormatJSONObject: { value: { type: 'json_object' }, at: inFormat, others: { type: 'text' } },
  ResponseFormatJSONSchema: {
    value: { type: 'json_schema', json_schema: labelled },
    at: inFormat,
    others: { json_schema: { ...labelled, name: 'other' }, type: 'text' },
  },
  'ResponseFormatJSONSchema.JSONSchema': {
    value: labelled,
    at: (json_schema: Fields) => inFormat({ type: 'json_schema', json_schema }),
    others: { schema: { type: 'object' } },
  },
};

const valid: Record<string, object> = {
  [chatUrl]: { messages: [user] },
  '/v1/completions': { prompt: 'Hi' },
  '/v1/embeddings': { input: 'Hi' },
};

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

const lastArrived = (): ChatRequest | DecisionRequest | EmbeddingRequest | RankRequest =>
  (harness.gateway.calls.at(-1) ?? harness.gateway.wholeCalls.at(-1))!.request;

/** Parts of what is ignored or refused as a whole. */
const elsewhere = [
  /PromptCacheBreakpoint$/,
  /^ChatCompletionCreateParams\.(Moderation|PromptCacheOptions|WebSearchOptions)/,
  /^ChatCompletionAudioParam|MessageParam\.Audio$/,
];

it('every type of a request is asked for', () => {
  const here = [...matrices.map(({ type }) => type), ...Object.keys(nestedExamples)];
  const missing = Object.keys(recordedTypes('openai')).filter(
    (type) => !here.includes(type) && !elsewhere.some((names) => names.test(type)),
  );
  expect(missing).toEqual([]);
});

describe('below', () =>
  testFieldMatrix({ api: 'openai', url: chatUrl, examples: nestedExamples, parts: [[/./, 'above']] }));

describe.each(matrices)('the fields of $type', ({ type, url, fates }) => {
  it('are those of the pinned SDK', () => {
    expect(Object.keys(fates).sort()).toEqual(recordedTypes('openai')[type]);
  });

  it.each(Object.entries(fates))('%s is honoured, refused by name or named as ignored', async (_key, fate) => {
    harness.gateway.calls.length = 0;
    const response = await harness.send('POST', url, { ...valid[url], ...fate.body });
    if ('refused' in fate) {
      expect(response.statusCode).toBe(400);
      expect(response.json().error.param).toBe(fate.refused);
      expect(response.json().error.message).toContain(`"${fate.refused}"`);
      return;
    }
    expect(response.statusCode).toBe(200);
    const names = String(response.headers['x-hearth-ignored'] ?? '').split(', ');
    if ('ignored' in fate) expect(names).toContain(fate.ignored);
    if ('arrives' in fate) expect(lastArrived()).toMatchObject(fate.arrives);
    if ('answers' in fate)
      fate.answers((response.body.startsWith('{') ? response.json() : null) as never, response.body);
  });
});

describe('fields that nobody knows', () => {
  it.each(Object.keys(valid))('are named at %s, and change nothing', async (url) => {
    const response = await harness.send('POST', url, { ...valid[url], of_tomorrow: { a: 1 }, nothing: null });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-hearth-ignored']).toBe('of_tomorrow');
    const plain = await harness.send('POST', url, valid[url]);
    expect(plain.headers).not.toHaveProperty('x-hearth-ignored');
  });
});
