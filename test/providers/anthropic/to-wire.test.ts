import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ChatInput, ChatMessage, ChatRequest } from '../../../src/core/chat.ts';
import type { AssistantPart, ReasoningPart } from '../../../src/core/content.ts';
import { asTheFileSays, knownRow, modelTable, rowOf } from '../../../src/providers/anthropic/model-table.ts';
import { toCountBody, toWire } from '../../../src/providers/anthropic/to-wire.ts';

type Chat = Extract<ChatInput, { type: 'chat' }>;

const user = (text: string): ChatMessage => ({ role: 'user', content: [{ type: 'text', text }] });
const assistant = (...content: AssistantPart[]): ChatMessage => ({ role: 'assistant', content });

function wire(changes: Partial<ChatRequest> & { chat?: Partial<Chat> } = {}, model = 'claude-sonnet-4-5') {
  const { chat, ...others } = changes;
  const input: Chat = { type: 'chat', messages: [user('hello')], tools: [], toolChoice: { type: 'auto' }, ...chat };
  const request: ChatRequest = { model, input, sampling: {}, stop: [], ...others };
  return toWire(request, { providerId: 'claude', model, row: rowOf(model), version: null });
}

const fieldsOf = ({ warnings }: ReturnType<typeof wire>) => warnings.map(({ field }) => field);

describe('the table of models', () => {
  it('has a row for every model that the SDK knows and that is not retired', () => {
    const types = readFileSync(
      new URL('../../../node_modules/@anthropic-ai/sdk/resources/messages/messages.d.ts', import.meta.url),
      'utf8',
    );
    const [, union] = /^export type Model = (.*);$/m.exec(types)!;
    const ids = [...union!.matchAll(/'([^']+)'/g)].map(([, id]) => id!).filter((id) => id !== 'claude-mythos-preview');
    expect(ids.length).toBeGreaterThan(15);
    expect(ids.filter((id) => knownRow(id) === null)).toEqual([]);
  });

  it.each([
    ['claude-sonnet-4-5-20250929', 'claude-sonnet-4-5'],
    ['claude-sonnet-4-20250514', 'claude-sonnet-4'],
    ['anthropic/claude-opus-4.6', 'claude-opus-4-6'],
    ['claude-haiku-4-5@20251001', 'claude-haiku-4-5'],
    ['claude-opus-5', 'claude-opus-5'],
  ])('finds %s as %s', (id, row) => {
    expect(knownRow(id)?.id).toBe(row);
  });

  it('takes no model for an older one of the same family', () => {
    expect(knownRow('claude-opus-5-9')).toBeNull();
    expect(knownRow('claude-fable-5-10')).toBeNull();
    expect(knownRow('qwen-7b')).toBeNull();
  });

  it('is careful with a model that it does not know, until the file says what it takes', () => {
    expect(rowOf('claude-next')).toMatchObject({ sampling: 'none', prefill: false });
    const told = { sampling: true, prefill: true, vision: false, forced_tools: false, structured_output: false };
    expect(asTheFileSays(rowOf('claude-next'), { capabilities: told })).toMatchObject({
      sampling: 'one',
      prefill: true,
      images: false,
      forcedTools: false,
      structuredOutput: false,
    });
  });

  it('names each model once', () => {
    expect(new Set(modelTable.map(({ id }) => id)).size).toBe(modelTable.length);
  });
});

describe('how a model is told to think', () => {
  it.each([
    ['claude-sonnet-4-5', { mode: 'on' }, { type: 'enabled', budget_tokens: 8192 }, undefined, []],
    ['claude-sonnet-4-5', { mode: 'on', effort: 'max' }, { type: 'enabled', budget_tokens: 16000 }, undefined, []],
    ['claude-sonnet-4-5', { mode: 'on', effort: 'low' }, { type: 'enabled', budget_tokens: 2048 }, undefined, []],
    ['claude-sonnet-4-5', { mode: 'on', budgetTokens: 5000 }, { type: 'enabled', budget_tokens: 5000 }, undefined, []],
    [
      'claude-sonnet-4-5',
      { mode: 'on', budgetTokens: 10 },
      { type: 'enabled', budget_tokens: 1024 },
      undefined,
      ['reasoning.budgetTokens'],
    ],
    [
      'claude-sonnet-4-5',
      { mode: 'on', budgetTokens: 99999 },
      { type: 'enabled', budget_tokens: 31999 },
      undefined,
      ['reasoning.budgetTokens'],
    ],
    [
      'claude-opus-4-5',
      { mode: 'on', effort: 'max' },
      { type: 'enabled', budget_tokens: 16000 },
      'high',
      ['reasoning.effort'],
    ],
    [
      'claude-opus-4-6',
      { mode: 'on', budgetTokens: 20000 },
      { type: 'adaptive', display: 'summarized' },
      undefined,
      ['reasoning.budgetTokens'],
    ],
    [
      'claude-opus-4-6',
      { mode: 'on', effort: 'xhigh' },
      { type: 'adaptive', display: 'summarized' },
      'high',
      ['reasoning.effort'],
    ],
    ['claude-fable-5-2', { mode: 'on', effort: 'xhigh' }, { type: 'adaptive', display: 'summarized' }, 'xhigh', []],
    [
      'claude-fable-5-2',
      { mode: 'on', effort: 'minimal' },
      { type: 'adaptive', display: 'summarized' },
      'low',
      ['reasoning.effort'],
    ],
    ['claude-fable-5-2', { mode: 'off' }, undefined, 'low', ['reasoning']],
    ['claude-sonnet-5-5', { mode: 'off' }, { type: 'between_tools' }, undefined, []],
    ['claude-haiku-5-5', { mode: 'off' }, { type: 'disabled' }, undefined, []],
    [
      'claude-next',
      { mode: 'on', budgetTokens: 20000 },
      { type: 'adaptive', display: 'summarized' },
      undefined,
      ['reasoning.budgetTokens'],
    ],
  ] as const)('%s, %j', (model, reasoning, thinking, effort, warned) => {
    const made = wire({ reasoning }, model);
    expect(made.body['thinking']).toEqual(thinking);
    expect(made.body['output_config']).toEqual(effort === undefined ? undefined : { effort });
    expect(fieldsOf(made)).toEqual(warned);
  });

  it('never gets a budget that leaves no answer', () => {
    const made = wire({ reasoning: { mode: 'on', budgetTokens: 2000 }, maxTokens: 900 });
    expect(made.body['thinking']).toBeUndefined();
    expect(fieldsOf(made)).toEqual(['reasoning']);
    expect(wire({ reasoning: { mode: 'on', budgetTokens: 2000 }, maxTokens: 1500 }).body['thinking']).toEqual({
      type: 'enabled',
      budget_tokens: 1499,
    });
  });

  it('is left alone where nobody says', () => {
    expect(wire().body['thinking']).toBeUndefined();
  });
});

describe('thoughts of earlier turns', () => {
  const thought = (changes: Partial<ReasoningPart>): ReasoningPart => ({
    type: 'reasoning',
    text: 'hm',
    signature: 'sig',
    redactedData: null,
    origin: { provider: 'claude', model: 'claude-sonnet-4-5' },
    ...changes,
  });
  const sent = (part: ReasoningPart) => {
    const { body } = wire({ chat: { messages: [user('a'), assistant(part, { type: 'text', text: 'b' }), user('c')] } });
    const [, turn] = body['messages'] as { content: { type: string }[] }[];
    return turn!.content.map(({ type }) => type);
  };

  it('go back to the provider and model that made them, signed or redacted', () => {
    expect(sent(thought({}))).toEqual(['thinking', 'text']);
    expect(sent(thought({ text: '', redactedData: 'x', signature: null }))).toEqual(['redacted_thinking', 'text']);
    expect(sent(thought({ text: '' }))).toEqual(['thinking', 'text']);
    expect(sent(thought({ origin: null }))).toEqual(['thinking', 'text']);
  });

  it('of another provider or model are left out, whatever their signature', () => {
    expect(sent(thought({ origin: { provider: 'bedrock', model: 'claude-sonnet-4-5' } }))).toEqual(['text']);
    expect(sent(thought({ origin: { provider: 'claude', model: 'claude-opus-5-5' } }))).toEqual(['text']);
    expect(sent(thought({ redactedData: 'x', origin: { provider: 'other', model: 'x' } }))).toEqual(['text']);
  });

  it('without a signature, of an answer that was aborted, are left out', () => {
    expect(sent(thought({ signature: null }))).toEqual(['text']);
    expect(sent(thought({ signature: '' }))).toEqual(['text']);
  });

  it('that were a turn of their own leave no empty turn', () => {
    const { body } = wire({ chat: { messages: [user('a'), assistant(thought({ signature: null })), user('b')] } });
    expect(body['messages']).toMatchObject([{ role: 'user' }, { role: 'user' }]);
  });
});

describe('a request on the wire', () => {
  it('is of the older version of the API where it says how tokens are chosen, else of the newer one', () => {
    expect(wire({ sampling: { temperature: 0 } })).toMatchObject({ version: '2023-06-01', body: { temperature: 0 } });
    expect(wire().version).toBe('2026-10-21');
    const newer = wire({ sampling: { temperature: 0, topP: 0.5, topK: 3 } }, 'claude-opus-5-5');
    expect(newer.version).toBe('2026-10-21');
    expect(fieldsOf(newer)).toEqual(['sampling.temperature', 'sampling.topP', 'sampling.topK']);
    const thinks = wire({ sampling: { temperature: 0 }, reasoning: { mode: 'on' } });
    expect(thinks.body['temperature']).toBeUndefined();
    expect(fieldsOf(thinks)).toEqual(['sampling.temperature']);
  });

  it('asks for no more tokens than the model has, and for a moderate number where nobody says', () => {
    const clamped = wire({ maxTokens: 1_000_000 });
    expect(clamped.body['max_tokens']).toBe(64_000);
    expect(fieldsOf(clamped)).toEqual(['maxTokens']);
    expect(wire().body['max_tokens']).toBe(32_000);
  });

  it('is the same twice, and one more turn leaves all bytes before it as they were', () => {
    const messages = [user('a'), assistant({ type: 'tool-call', id: 'c', name: 'look', arguments: { b: 1, a: 2 } })];
    const tools = [{ name: 'look', parameters: { type: 'object', properties: { b: {}, a: {} } } }];
    const answered: ChatMessage = {
      role: 'user',
      content: [{ type: 'tool-result', callId: 'c', isError: false, content: [] }],
    };
    const first = [{ role: 'system' as const, content: [{ type: 'text' as const, text: 's' }] }, ...messages, answered];
    const text = (chat: Partial<Chat>) => JSON.stringify(wire({ chat, endUserId: 'u', stop: ['x'] }).body);
    expect(text({ messages: first, tools })).toBe(
      text({ messages: structuredClone(first), tools: structuredClone(tools) }),
    );
    const before = text({ messages: first, tools });
    const after = text({ messages: [...first, assistant({ type: 'text', text: 'b' }), user('d')], tools });
    expect(after.startsWith(before.slice(0, before.lastIndexOf(']}')))).toBe(true);
  });

  it('has its results before anything else of their turn, and no blank text anywhere', () => {
    const { body } = wire({
      chat: {
        messages: [
          { role: 'system', content: [{ type: 'text', text: ' \n' }] },
          user(''),
          assistant({ type: 'text', text: ' ' }, { type: 'tool-call', id: 'c', name: 'look', arguments: {} }),
          {
            role: 'user',
            content: [
              { type: 'text', text: 'look!' },
              { type: 'tool-result', callId: 'c', isError: false, content: [{ type: 'text', text: '\t' }] },
            ],
          },
        ],
      },
    });
    expect(body['system']).toBeUndefined();
    expect(body['messages']).toEqual([
      { role: 'user', content: [{ type: 'text', text: '(empty)' }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'look', input: {} }] },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c' },
          { type: 'text', text: 'look!' },
        ],
      },
    ]);
  });

  it('keeps system messages in their place where the model takes them there, else in the turn of the user', () => {
    const rule: ChatMessage = { role: 'system', content: [{ type: 'text', text: 'rule' }] };
    const messages = [user('a'), rule, assistant({ type: 'text', text: 'b' }), rule, user('c')];
    const roles = (made: ReturnType<typeof wire>) => (made.body['messages'] as ChatMessage[]).map(({ role }) => role);
    const newer = wire({ chat: { messages } }, 'claude-opus-5-5');
    expect(roles(newer)).toEqual(['user', 'system', 'assistant', 'user']);
    expect(fieldsOf(newer)).toEqual(['input.messages.3']);
    const older = wire({ chat: { messages } });
    expect(roles(older)).toEqual(['user', 'assistant', 'user']);
    expect(JSON.stringify(older.body)).toContain('<system>\\nrule\\n</system>');
    expect(fieldsOf(older)).toEqual(['input.messages.1', 'input.messages.3']);
  });

  it('has names of tools as the API takes them, and knows them again', () => {
    const tools = ['mcp.files:read', 'mcp_files.read', 'x'.repeat(200), 'plain'].map((name) => ({ name }));
    const made = wire({
      chat: {
        tools,
        toolChoice: { type: 'tool', name: 'mcp.files:read' },
        messages: [user('a'), assistant({ type: 'tool-call', id: 'c', name: 'gone.tool', arguments: {} }), user('b')],
      },
    });
    const names = (made.body['tools'] as { name: string }[]).map(({ name }) => name);
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
    expect(names.map(made.names.fromWire)).toEqual(tools.map(({ name }) => name));
    expect(made.body['tool_choice']).toMatchObject({ name: names[0] });
    expect(names[3]).toBe('plain');
    const [, call] = made.body['messages'] as { content: { name: string }[] }[];
    expect(made.names.fromWire(call!.content[0]!.name)).toBe('gone.tool');
  });

  it('has at most four cache marks: where all requests begin, and the last', () => {
    const marked = (text: string): ChatMessage => ({
      role: 'user',
      content: [{ type: 'text', text, cacheMark: { ttlSeconds: 300 } }],
    });
    const made = wire({
      chat: { tools: [{ name: 't', cacheMark: { ttlSeconds: 3600 } }], messages: ['a', 'b', 'c', 'd'].map(marked) },
    });
    const text = JSON.stringify(made.body);
    expect(text.match(/cache_control/g)).toHaveLength(4);
    expect(text).toContain('"ttl":"1h"');
    expect(text).toContain('{"type":"text","text":"a"}');
    expect(fieldsOf(made)).toEqual(['input.messages']);
    const none = wire({ promptCache: 'none', chat: { messages: [marked('a')] } });
    expect(JSON.stringify(none.body)).not.toContain('cache_control');
  });

  it('goes on where the last turn ends only where the model does that, and says so early elsewhere', () => {
    const chat = { messages: [user('a'), assistant({ type: 'text', text: 'b ' })], continuesLast: true };
    const made = wire({ chat });
    expect(made.body['messages']).toMatchObject([{}, { role: 'assistant', content: [{ text: 'b' }] }]);
    for (const model of ['claude-opus-4-6', 'claude-haiku-5-5', 'claude-next']) {
      expect(() => wire({ chat }, model)).toThrowError(
        expect.objectContaining({ code: 'not_supported', field: 'input.messages.1', fix: expect.any(String) }),
      );
    }
  });

  it('does not think in a turn that goes on', () => {
    const chat = { messages: [user('a'), assistant({ type: 'text', text: 'b' })], continuesLast: true };
    expect(() => wire({ chat, reasoning: { mode: 'on' } })).toThrowError(
      expect.objectContaining({ code: 'not_supported', field: 'reasoning' }),
    );
    expect(wire({ chat, reasoning: { mode: 'off' } }).body['thinking']).toEqual({ type: 'disabled' });
  });

  it('has tools of the service as they are', () => {
    const own = { type: 'web_search_20250305', max_uses: 2 };
    const { body } = wire({ chat: { tools: [{ name: 'web_search', extra: { anthropic: own } }] } });
    expect(body['tools']).toEqual([{ name: 'web_search', ...own }]);
  });

  it('forces a call only where the model can be forced, and not while it thinks by a budget', () => {
    const chat: Partial<Chat> = { tools: [{ name: 't' }], toolChoice: { type: 'required' } };
    expect(wire({ chat }).body['tool_choice']).toEqual({ type: 'any' });
    expect(wire({ chat }, 'claude-haiku-5-5').body['tool_choice']).toEqual({ type: 'any' });
    const refused = expect.objectContaining({ code: 'not_supported', field: 'input.toolChoice' });
    expect(() => wire({ chat }, 'claude-opus-5-5')).toThrowError(refused);
    expect(() => wire({ chat, reasoning: { mode: 'on' } })).toThrowError(refused);
  });

  it('closes the objects of a schema, and nothing that only looks like one', () => {
    const schema = {
      type: 'object',
      properties: {
        a: { type: 'array', items: { type: 'object', properties: {} } },
        b: { enum: [{ type: 'object' }] },
      },
    };
    expect(wire({ format: { type: 'json-schema', schema } }).body['output_config']).toEqual({
      format: {
        type: 'json_schema',
        schema: {
          type: 'object',
          properties: {
            a: { type: 'array', items: { type: 'object', properties: {}, additionalProperties: false } },
            b: { enum: [{ type: 'object' }] },
          },
          additionalProperties: false,
        },
      },
    });
  });

  it('of a count has only what the API counts', () => {
    const { body } = wire({ stop: ['x'], endUserId: 'u', sampling: { temperature: 0 }, reasoning: { mode: 'off' } });
    expect(Object.keys(toCountBody(body)).sort()).toEqual(['messages', 'model', 'thinking']);
  });
});
