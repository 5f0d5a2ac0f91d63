import { describe, expect, it } from 'vitest';
import type { ChatInput, ChatMessage, ChatRequest, Sampling, ToolDefinition } from '../../../src/core/chat.ts';
import type { AssistantPart, UserPart } from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { rowOf } from '../../../src/providers/anthropic/model-table.ts';
import { toWire } from '../../../src/providers/anthropic/to-wire.ts';
import { checkRequest } from '../../support/fake-anthropic/rules.ts';

// Every field of a request arrives in the body, or is refused by its name, or is named in the warnings: none is lost. What is
// sent passes the API's own checks.

type Chat = Extract<ChatInput, { type: 'chat' }>;

/** A request with something in a field, where the field is, and what of it must be seen in the body. */
interface Case {
  request: Partial<ChatRequest>;
  field: string;
  sentinel?: string | RegExp;
}

const user = (text: string): ChatMessage => ({ role: 'user', content: [{ type: 'text', text }] });
const chat = (changes: Partial<Chat> = {}): { input: ChatInput } => ({
  input: { type: 'chat', messages: [user('hello')], tools: [], toolChoice: { type: 'auto' }, ...changes },
});
const tool: ToolDefinition = { name: 'look', parameters: { type: 'object', properties: { at: { type: 'string' } } } };
const saying = (...content: UserPart[]): Case['request'] => chat({ messages: [{ role: 'user', content }] });
/** A turn of the assistant in the middle, its calls answered. */
const said = (...content: AssistantPart[]): Case['request'] => {
  const calls = content.filter((part) => part.type === 'tool-call');
  const results: UserPart[] = calls.map(({ id }) => ({ type: 'tool-result', callId: id, isError: false, content: [] }));
  const answer: UserPart[] = [...results, { type: 'text', text: 'go on' }];
  return chat({
    messages: [user('hello'), { role: 'assistant', content }, { role: 'user', content: answer }],
    tools: [tool],
  });
};
const bytes = { type: 'bytes' as const, base64: 'c2VudGluZWw=' };

const fields: Record<
  Exclude<keyof Required<ChatRequest>, 'model' | 'input' | 'sampling' | 'original' | 'onlyRelayed' | 'keptBy'>,
  Case[]
> = {
  format: [
    { request: { format: { type: 'text' } }, field: 'format', sentinel: 'hello' },
    { request: { format: { type: 'json' } }, field: 'format' },
    { request: { format: { type: 'grammar', gbnf: 'root ::= "a"' } }, field: 'format' },
    {
      request: {
        format: {
          type: 'json-schema',
          schema: { type: 'object', properties: { sentinel: { type: 'object', properties: {} } } },
        },
      },
      field: 'format',
      sentinel: 'sentinel',
    },
  ],
  logprobs: [{ request: { logprobs: { top: 2 } }, field: 'logprobs' }],
  maxTokens: [
    { request: { maxTokens: 1234 }, field: 'maxTokens', sentinel: '"max_tokens":1234' },
    { request: { maxTokens: 0 }, field: 'maxTokens', sentinel: '"max_tokens":0' },
    { request: { maxTokens: 120_000 }, field: 'maxTokens', sentinel: '"max_tokens":120000' },
  ],
  stop: [
    { request: { stop: ['sentinel'] }, field: 'stop', sentinel: '"stop_sequences":["sentinel"]' },
    { request: { stop: ['a', '\n'] }, field: 'stop.1', sentinel: '\\n' },
  ],
  keepAliveMs: [{ request: { keepAliveMs: 1 }, field: 'keepAliveMs' }],
  promptCache: [{ request: { promptCache: 'pin' }, field: 'promptCache', sentinel: 'cache_control' }],
  reasoning: [
    { request: { reasoning: { mode: 'off' } }, field: 'reasoning', sentinel: '"thinking"' },
    { request: { reasoning: { mode: 'on' } }, field: 'reasoning', sentinel: '"thinking"' },
    { request: { reasoning: { mode: 'on', budgetTokens: 2345 } }, field: 'reasoning.budgetTokens', sentinel: '2345' },
    ...(['minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const).map((effort) => ({
      request: { reasoning: { mode: 'on' as const, effort } },
      field: 'reasoning.effort',
      // Models that think by a budget are told one.
      sentinel: new RegExp(`"effort":"${effort}"|"budget_tokens":\\d+`),
    })),
  ],
  choices: [{ request: { choices: 2 }, field: 'choices' }],
  returnsTokens: [{ request: { returnsTokens: true }, field: 'returnsTokens' }],
  prediction: [{ request: { prediction: 'a' }, field: 'prediction' }],
  endUserId: [{ request: { endUserId: 'sentinel' }, field: 'endUserId', sentinel: '"user_id":"sentinel"' }],
  serviceTier: [
    { request: { serviceTier: 'auto' }, field: 'serviceTier', sentinel: '"service_tier":"auto"' },
    { request: { serviceTier: 'default' }, field: 'serviceTier', sentinel: '"service_tier":"standard_only"' },
    { request: { serviceTier: 'flex' }, field: 'serviceTier' },
  ],
  metadata: [{ request: { metadata: { a: 'b' } }, field: 'metadata' }],
  extra: [
    {
      request: { extra: { anthropic: { inference_geo: 'sentinel' } } },
      field: 'extra',
      sentinel: '"inference_geo":"sentinel"',
    },
  ],
};

const sampling: Record<keyof Required<Sampling>, Case> = {
  temperature: {
    request: { sampling: { temperature: 0.25 } },
    field: 'sampling.temperature',
    sentinel: '"temperature":0.25',
  },
  topP: { request: { sampling: { topP: 0.25 } }, field: 'sampling.topP', sentinel: '"top_p":0.25' },
  topK: { request: { sampling: { topK: 7 } }, field: 'sampling.topK', sentinel: '"top_k":7' },
  minP: { request: { sampling: { minP: 0.1 } }, field: 'sampling.minP' },
  typicalP: { request: { sampling: { typicalP: 0.1 } }, field: 'sampling.typicalP' },
  seed: { request: { sampling: { seed: 0 } }, field: 'sampling.seed' },
  repeatPenalty: { request: { sampling: { repeatPenalty: 1.1 } }, field: 'sampling.repeatPenalty' },
  frequencyPenalty: { request: { sampling: { frequencyPenalty: 1 } }, field: 'sampling.frequencyPenalty' },
  presencePenalty: { request: { sampling: { presencePenalty: 1 } }, field: 'sampling.presencePenalty' },
  penaltyTokens: { request: { sampling: { penaltyTokens: 0 } }, field: 'sampling.penaltyTokens' },
  logitBias: { request: { sampling: { logitBias: { 1: 1 } } }, field: 'sampling.logitBias' },
  ignoreEnd: { request: { sampling: { ignoreEnd: true } }, field: 'sampling.ignoreEnd' },
  minTokens: { request: { sampling: { minTokens: 1 } }, field: 'sampling.minTokens' },
  xtc: { request: { sampling: { xtc: { probability: 1, threshold: 0.1 } } }, field: 'sampling.xtc' },
  dry: { request: { sampling: { dry: { multiplier: 1 } } }, field: 'sampling.dry' },
};

const input: Record<Exclude<keyof Required<Chat>, 'type' | 'messages'>, Case[]> = {
  tools: [
    { request: chat({ tools: [tool] }), field: 'input.tools', sentinel: '"name":"look"' },
    {
      request: chat({ tools: [{ name: 'none' }] }),
      field: 'input.tools',
      sentinel: '"input_schema":{"type":"object","properties":{}}',
    },
    { request: chat({ tools: [{ ...tool, description: 'sentinel' }] }), field: 'input.tools', sentinel: 'sentinel' },
    { request: chat({ tools: [{ ...tool, strict: true }] }), field: 'input.tools.0.strict', sentinel: '"strict":true' },
    { request: chat({ tools: [{ ...tool, name: 'a.b:c' }] }), field: 'input.tools', sentinel: 'a_b_c_' },
    {
      request: chat({ tools: [{ ...tool, cacheMark: { ttlSeconds: 3600 } }] }),
      field: 'input.tools',
      sentinel: '"ttl":"1h"',
    },
    {
      request: chat({ tools: [{ ...tool, extra: { anthropic: { defer_loading: true } } }] }),
      field: 'input.tools',
      sentinel: 'defer_loading',
    },
  ],
  toolChoice: [
    {
      request: chat({ tools: [tool], toolChoice: { type: 'none' } }),
      field: 'input.toolChoice',
      sentinel: '"tool_choice":{"type":"none"}',
    },
    {
      request: chat({ tools: [tool], toolChoice: { type: 'required' } }),
      field: 'input.toolChoice',
      sentinel: '"tool_choice":{"type":"any"}',
    },
    {
      request: chat({ tools: [tool], toolChoice: { type: 'tool', name: 'look' } }),
      field: 'input.toolChoice',
      sentinel: '"tool_choice":{"type":"tool","name":"look"}',
    },
    {
      request: chat({ tools: [tool, { name: 'b' }], toolChoice: { type: 'allowed', mode: 'auto', names: ['look'] } }),
      field: 'input.toolChoice',
    },
    {
      request: chat({
        tools: [tool, { name: 'b' }],
        toolChoice: { type: 'allowed', mode: 'required', names: ['look'] },
      }),
      field: 'input.toolChoice',
      sentinel: '"tool_choice":{"type":"tool","name":"look"}',
    },
  ],
  parallelToolCalls: [
    {
      request: chat({ tools: [tool], parallelToolCalls: false }),
      field: 'input.parallelToolCalls',
      sentinel: '"disable_parallel_tool_use":true',
    },
  ],
  continuesLast: [
    {
      request: chat({
        messages: [user('hello'), { role: 'assistant', content: [{ type: 'text', text: 'sentinel ' }] }],
        continuesLast: true,
      }),
      field: 'input.messages.1',
      sentinel: '"text":"sentinel"',
    },
    {
      request: chat({ messages: [user('hello'), { role: 'assistant', content: [{ type: 'text', text: 'a' }] }] }),
      field: 'input.messages.1',
    },
  ],
  templateOptions: [{ request: chat({ templateOptions: { a: 1 } }), field: 'input.templateOptions' }],
  template: [{ request: chat({ template: 'a' }), field: 'input.template' }],
};

const system = (text: string): ChatMessage => ({ role: 'system', content: [{ type: 'text', text }] });
const part = 'input.messages.0.content.0';

const parts: Record<string, Case[]> = {
  system: [
    {
      request: chat({ messages: [system('sentinel'), user('hello')] }),
      field: 'input.messages.0',
      sentinel: '"system":[{"type":"text","text":"sentinel"}]',
    },
    { request: chat({ messages: [user('a'), system('sentinel')] }), field: 'input.messages.1', sentinel: 'sentinel' },
    {
      request: chat({ messages: [user('a'), system('sentinel'), user('b')] }),
      field: 'input.messages.1',
      sentinel: 'sentinel',
    },
    {
      request: chat({ messages: [{ ...system('a'), cacheMark: { ttlSeconds: 300 } }, user('b')] }),
      field: 'input.messages.0',
      sentinel: '"ttl":"5m"',
    },
  ],
  text: [
    { request: saying({ type: 'text', text: 'sentinel' }), field: part, sentinel: 'sentinel' },
    {
      request: saying({ type: 'text', text: 'a', cacheMark: { ttlSeconds: null } }),
      field: part,
      sentinel: '"cache_control":{"type":"ephemeral"}',
    },
    {
      request: said({
        type: 'text',
        text: 'a',
        citations: [{ citedText: 'b', title: null, url: null, dialect: 'anthropic', raw: { cited_text: 'sentinel' } }],
      }),
      field: 'input.messages.1',
      sentinel: 'sentinel',
    },
  ],
  image: [
    { request: saying({ type: 'image', mediaType: 'image/png', source: bytes }), field: part, sentinel: bytes.base64 },
    { request: saying({ type: 'image', mediaType: 'image/tiff', source: bytes }), field: part },
    {
      request: saying({ type: 'image', mediaType: null, source: { type: 'url', url: 'https://a/sentinel' } }),
      field: part,
      sentinel: 'sentinel',
    },
    {
      request: saying({ type: 'image', mediaType: null, source: { type: 'file', fileId: 'sentinel' } }),
      field: part,
      sentinel: 'sentinel',
    },
    { request: said({ type: 'image', mediaType: 'image/png', source: bytes }), field: 'input.messages.1.content.0' },
  ],
  document: [
    {
      request: saying({ type: 'document', mediaType: 'application/pdf', source: bytes }),
      field: part,
      sentinel: bytes.base64,
    },
    {
      request: saying({ type: 'document', mediaType: 'text/markdown', source: bytes }),
      field: part,
      sentinel: '"data":"sentinel"',
    },
    { request: saying({ type: 'document', mediaType: 'application/msword', source: bytes }), field: part },
    {
      request: saying({ type: 'document', mediaType: null, source: { type: 'text', text: 'sentinel' } }),
      field: part,
      sentinel: 'sentinel',
    },
    {
      request: saying({ type: 'document', mediaType: null, source: { type: 'url', url: 'https://a/sentinel' } }),
      field: part,
      sentinel: 'sentinel',
    },
    ...(['title', 'context'] as const).map((name) => ({
      request: saying({ type: 'document', mediaType: null, source: { type: 'text', text: 'a' }, [name]: 'sentinel' }),
      field: part,
      sentinel: `"${name}":"sentinel"`,
    })),
    {
      request: saying({ type: 'document', mediaType: null, source: { type: 'text', text: 'a' }, mayBeCited: true }),
      field: part,
      sentinel: '"citations":{"enabled":true}',
    },
  ],
  'tool-call': [
    {
      request: said({ type: 'tool-call', id: 'call_1', name: 'look', arguments: { at: 'sentinel' } }),
      field: 'input.messages.1',
      sentinel: '{"at":"sentinel"}',
    },
    {
      request: said({ type: 'tool-call', id: 'functions.look:0', name: 'look', arguments: {} }),
      field: 'input.messages.1',
      sentinel: '"id":"functions_look_0_',
    },
    {
      request: said({ type: 'tool-call', id: 'a', name: 'x.y', arguments: {} }),
      field: 'input.messages.1',
      sentinel: '"name":"x_y_',
    },
  ],
  'tool-result': [
    ...[
      { isError: true, content: [] },
      { isError: false, content: [{ type: 'text' as const, text: 'sentinel' }] },
      { isError: false, content: [{ type: 'image' as const, mediaType: 'image/png', source: bytes }] },
      { isError: false, content: [{ type: 'document' as const, mediaType: 'application/pdf', source: bytes }] },
    ].map(({ isError, content }): Case => {
      const call: ChatMessage = {
        role: 'assistant',
        content: [{ type: 'tool-call', id: 'c', name: 'look', arguments: {} }],
      };
      const result: ChatMessage = {
        role: 'user',
        content: [
          { type: 'text', text: 'first' },
          { type: 'tool-result', callId: 'c', isError, content },
        ],
      };
      return {
        request: chat({ messages: [user('a'), call, result], tools: [tool] }),
        field: 'input.messages.2',
        sentinel: isError ? '"is_error":true' : content[0]?.type === 'text' ? 'sentinel' : bytes.base64,
      };
    }),
  ],
  opaque: [
    {
      request: said({
        type: 'opaque',
        dialect: 'anthropic',
        block: { type: 'server_tool_use', id: 's', name: 'web_search', input: { q: 'sentinel' } },
      }),
      field: 'input.messages.1',
      sentinel: 'sentinel',
    },
    { request: said({ type: 'opaque', dialect: 'openai', block: { type: 'x' } }), field: 'input.messages.1.content.0' },
    { request: saying({ type: 'opaque', dialect: 'bedrock', block: { type: 'x' } }), field: part },
  ],
  bare: [{ request: { input: { type: 'text', prompt: 'a' } }, field: 'input' }],
};

const cases = [fields, sampling, input, parts].flatMap((group) =>
  Object.entries(group).flatMap(([name, list]: [string, Case | Case[]]) =>
    [list].flat().map((one, index) => [`${name} (${index})`, one] as const),
  ),
);

describe.each([
  'claude-sonnet-4-5-20250929',
  'claude-opus-4-6',
  'claude-opus-5-5',
  'claude-sonnet-5-5',
  'claude-haiku-5-5',
  'claude-new-9',
])('a request to %s', (model) => {
  it.each(cases)('loses nothing of %s', (_name, { request, field, sentinel }) => {
    const row = rowOf(model);
    const whole: ChatRequest = { model, ...chat(), sampling: {}, stop: [], maxTokens: 4_000, ...request };
    let told: string[];
    let text = '';
    try {
      const { body, version, warnings } = toWire(whole, { providerId: 'claude', model, row, version: null });
      text = JSON.stringify(body);
      told = warnings.map((warning) => warning.field ?? '');
      const headers = { 'x-api-key': 'k', 'anthropic-version': version };
      const refused = checkRequest({ path: '/v1/messages', headers, body, key: 'k', account: 'a' });
      expect(refused?.body ?? null).toBeNull();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(['not_supported', 'invalid_request']).toContain(error.code);
      told = [error.field ?? ''];
    }
    const isTold = told.some((name) => name !== '' && (name.startsWith(field) || field.startsWith(`${name}.`)));
    expect(
      isTold ||
        (sentinel !== undefined && text.search(sentinel instanceof RegExp ? sentinel : RegExp.escape(sentinel)) >= 0),
      `${told.join(' ')} ${text}`,
    ).toBe(true);
  });
});
