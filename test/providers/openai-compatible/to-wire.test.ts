import { describe, expect, it } from 'vitest';
import type { ProviderPreset } from '../../../src/config/providers.ts';
import type { ChatInput, ChatMessage, ChatRequest } from '../../../src/core/chat.ts';
import { promptTokensOf } from '../../../src/core/usage.ts';
import { toUsage as toOpenAiUsage } from '../../../src/http/openai/objects/usage.ts';
import { rowFor, services } from '../../../src/providers/openai-compatible/presets.ts';
import { createCallSignatures } from '../../../src/providers/openai-compatible/signatures.ts';
import { toWire } from '../../../src/providers/openai-compatible/to-wire.ts';
import { toUsage } from '../../../src/providers/openai-compatible/usage.ts';

const user = (text: string): ChatMessage => ({ role: 'user', content: [{ type: 'text', text }] });
const chat = (messages: ChatMessage[]): ChatInput => ({
  type: 'chat',
  messages,
  tools: [],
  toolChoice: { type: 'auto' },
});

function wire(
  changes: Partial<ChatRequest>,
  {
    preset = 'openai' as ProviderPreset,
    model = 'gpt-4o',
    maxOutputTokens = null as number | null,
    signatures = createCallSignatures(),
  } = {},
) {
  const request: ChatRequest = { model: 'asked', input: chat([user('Hi')]), sampling: {}, stop: [], ...changes };
  const { body, warnings } = toWire(request, {
    provider: 'cloud',
    row: rowFor(services[preset], model),
    model,
    maxOutputTokens,
    signatures,
  });
  return { body, fields: warnings.map(({ field }) => field), text: JSON.stringify(body) };
}

describe('sampling and models that think', () => {
  const sampling = { temperature: 0.5 };
  it.each<[string, ProviderPreset, string, ChatRequest['reasoning'], boolean]>([
    ['a model that does not think takes it', 'openai', 'gpt-4o-mini', undefined, true],
    ['a fine-tuned one too', 'openai', 'ft:gpt-4.1-mini:me::1', undefined, true],
    ['a model that always thinks does not', 'openai', 'o3', undefined, false],
    ['nor where it should not think, as it cannot leave it', 'openai', 'gpt-5-mini', { mode: 'off' }, false],
    ['one that thinks when told takes it while it does not', 'openai', 'gpt-5.2', undefined, true],
    ['and not while it does', 'openai', 'gpt-5.2', { mode: 'on', effort: 'low' }, false],
    ['a model that nobody knows is thought to think', 'openai', 'gpt-9', undefined, false],
    ['DeepSeek thinks by itself', 'deepseek', 'deepseek-v4-flash', undefined, false],
    ['and takes it when told not to', 'deepseek', 'deepseek-v4-flash', { mode: 'off' }, true],
  ])('%s', (_what, preset, model, reasoning, taken) => {
    const { body, fields } = wire({ sampling, ...(reasoning && { reasoning }) }, { preset, model });
    expect(body['temperature']).toBe(taken ? 0.5 : undefined);
    expect(fields.includes('sampling.temperature')).toBe(!taken);
  });
});

describe('thinking', () => {
  it.each<[ProviderPreset, string, ChatRequest['reasoning'], object]>([
    ['openai', 'gpt-5', { mode: 'off' }, { reasoning_effort: 'minimal' }],
    ['openai', 'gpt-5.1', { mode: 'off' }, { reasoning_effort: 'none' }],
    ['openai', 'gpt-5.2', { mode: 'on', effort: 'max' }, { reasoning_effort: 'xhigh' }],
    ['openai', 'o3', { mode: 'on', effort: 'minimal' }, { reasoning_effort: 'low' }],
    ['openai', 'gpt-5.2', { mode: 'on', budgetTokens: 1_024 }, { reasoning_effort: 'low' }],
    ['gemini', 'gemini-2.5-flash', { mode: 'off' }, { reasoning_effort: 'none' }],
    [
      'gemini',
      'gemini-2.5-pro',
      { mode: 'on', budgetTokens: 512 },
      { extra_body: { google: { thinking_config: { thinking_budget: 512, include_thoughts: true } } } },
    ],
    ['gemini', 'gemini-3-pro', { mode: 'on', effort: 'medium' }, { reasoning_effort: 'high' }],
    [
      'deepseek',
      'deepseek-v4',
      { mode: 'on', effort: 'medium' },
      { thinking: { type: 'enabled' }, reasoning_effort: 'high' },
    ],
    ['deepseek', 'deepseek-v4', { mode: 'off' }, { thinking: { type: 'disabled' } }],
    ['qwen', 'qwen3-max', { mode: 'on', budgetTokens: 100 }, { enable_thinking: true, thinking_budget: 100 }],
    ['vllm', 'any', { mode: 'off' }, { chat_template_kwargs: { enable_thinking: false } }],
    [
      'vllm',
      'any',
      { mode: 'on', effort: 'low' },
      { chat_template_kwargs: { enable_thinking: true }, reasoning_effort: 'low' },
    ],
    ['ollama', 'any', { mode: 'off' }, { reasoning_effort: 'none' }],
    ['hearth', 'any', { mode: 'on', effort: 'minimal' }, { reasoning_effort: 'minimal' }],
  ])('is asked of %s (%s) in its own way: %o', (preset, model, reasoning, fields) => {
    expect(wire({ ...(reasoning && { reasoning }) }, { preset, model }).body).toMatchObject(fields);
  });

  it('that should not be is no field of its own for a model that nobody knows', () => {
    const { body, fields } = wire({ reasoning: { mode: 'off' } }, { model: 'my-own' });
    expect(body).not.toHaveProperty('reasoning_effort');
    expect(fields).toEqual(['reasoning.mode']);
  });

  it('leaves the client’s own switches of a template in force', () => {
    const input = { ...chat([user('Hi')]), templateOptions: { enable_thinking: false, x: 1 } } as ChatInput;
    const { body } = wire({ input, reasoning: { mode: 'on' } }, { preset: 'vllm' });
    expect(body['chat_template_kwargs']).toEqual({ enable_thinking: false, x: 1 });
  });

  it('of earlier turns goes back to who thought it, and to nobody else', () => {
    const thought = (provider: string): ChatMessage => ({
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'Hm.', signature: null, redactedData: null, origin: { provider, model: 'm' } },
        { type: 'text', text: 'Yes.' },
      ],
    });
    const own = wire({ input: chat([user('Hi'), thought('cloud'), user('And?')]) }, { preset: 'deepseek' });
    expect(own.body['messages']).toContainEqual({ role: 'assistant', content: 'Yes.', reasoning_content: 'Hm.' });
    expect(own.fields).toEqual([]);
    const foreign = wire({ input: chat([user('Hi'), thought('claude'), user('And?')]) }, { preset: 'deepseek' });
    expect(foreign.text).not.toContain('Hm.');
    expect(foreign.fields).toEqual(['input.messages.1.reasoning']);
  });
});

describe('a conversation', () => {
  it('has the results of tools as messages before what the person says in the same turn', () => {
    const messages: ChatMessage[] = [
      user('Weather?'),
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Let me see.' },
          { type: 'tool-call', id: 'a', name: 'f', arguments: { x: 1 }, argumentsText: '{"x": 1}' },
          { type: 'tool-call', id: 'b', name: 'g', arguments: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hurry.' },
          { type: 'tool-result', callId: 'a', isError: false, content: [{ type: 'text', text: 'sun' }] },
          {
            type: 'tool-result',
            callId: 'b',
            isError: false,
            content: [
              { type: 'text', text: 'rain' },
              { type: 'image', mediaType: 'image/png', source: { type: 'bytes', base64: 'aGk=' } },
            ],
          },
        ],
      },
    ];
    const { body } = wire({ input: chat(messages) });
    expect(body['messages']).toEqual([
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } },
          { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'sun' },
      { role: 'tool', tool_call_id: 'b', content: 'rain' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hurry.' },
          { type: 'text', text: 'What the tool gave to call b:' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
        ],
      },
    ]);
  });

  it('twice is the same bytes twice, and one turn later its messages still begin it', () => {
    const turns = [user('a'), user('b'), user('c')];
    const first = wire({ input: chat(turns.slice(0, 2)), maxTokens: 5, sampling: { seed: 1, temperature: 0 } });
    const second = wire({ input: chat(turns.slice(0, 2)), sampling: { seed: 1, temperature: 0 }, maxTokens: 5 });
    const third = wire({ input: chat(turns), maxTokens: 5, sampling: { seed: 1, temperature: 0 } });
    expect(second.text).toBe(first.text);
    const prefix = first.text.slice(0, first.text.indexOf(']'));
    expect(third.text.startsWith(prefix)).toBe(true);
  });

  it('gives the signatures of its calls back to Gemini, and says so of calls that have none', () => {
    const signatures = createCallSignatures();
    signatures.keep('a', { extra_content: { google: { thought_signature: 'signed' } } });
    const calls = (...ids: string[]): ChatMessage => ({
      role: 'assistant',
      content: ids.map((id) => ({ type: 'tool-call', id, name: 'f', arguments: {} })),
    });
    const { text } = wire(
      { input: chat([user('Hi'), calls('a', 'b'), calls('c')]) },
      { preset: 'gemini', model: 'gemini-3-pro', signatures },
    );
    expect(text.match(/"thought_signature":"[^"]+"/g)).toEqual([
      '"thought_signature":"signed"',
      '"thought_signature":"skip_thought_signature_validator"',
    ]);
    expect(wire({ input: chat([user('Hi'), calls('a')]) }, { signatures }).text).not.toContain('thought_signature');
  });
});

describe('limits of the model', () => {
  it('bound a huge number of tokens, which would be reserved for every request, and the answer comes as a stream', () => {
    const { body, fields } = wire({ maxTokens: 1_000_000 }, { maxOutputTokens: 16_384 });
    expect(body).toMatchObject({
      max_completion_tokens: 16_384,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(fields).toEqual(['maxTokens']);
    expect(wire({ maxTokens: 100 }, { maxOutputTokens: 16_384 })).toMatchObject({
      body: { max_completion_tokens: 100 },
      fields: [],
    });
  });

  it('reach Ollama under the name that it reads', () => {
    expect(wire({ maxTokens: 7 }, { preset: 'ollama' }).body).toMatchObject({ max_tokens: 7 });
  });
});

describe('labels of a request', () => {
  it('go only where answers are stored, as the service refuses them otherwise', () => {
    expect(wire({ metadata: { a: 'b' } }).fields).toEqual(['metadata']);
    expect(wire({ metadata: { a: 'b' }, extra: { openai: { store: true } } }).body).toMatchObject({
      store: true,
      metadata: { a: 'b' },
    });
  });
});

describe('cached tokens', () => {
  it('are part of OpenAI’s prompt tokens, on the way in and on the way out again', () => {
    const raw = {
      prompt_tokens: 100,
      completion_tokens: 7,
      total_tokens: 107,
      prompt_tokens_details: { cached_tokens: 64, cache_write_tokens: 12 },
      completion_tokens_details: { reasoning_tokens: 3, accepted_prediction_tokens: 2, rejected_prediction_tokens: 1 },
    };
    const usage = toUsage(raw, services.openai);
    expect(usage).toMatchObject({ inputTokens: 24, cacheReadTokens: 64, cacheWrite5mTokens: 12 });
    expect(promptTokensOf(usage)).toBe(100);
    expect(toOpenAiUsage(usage)).toEqual(raw);
  });
});
