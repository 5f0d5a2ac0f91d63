import { describe, expect, it } from 'vitest';
import type { ChatInput, ChatMessage, OutputFormat } from '../../../src/core/chat.ts';
import type { WorkerRequest } from '../../../src/ipc/protocol.ts';
import { answerKey } from '../../../src/worker/draft/answer-key.ts';

const says = (role: 'system' | 'user', text: string): ChatMessage => ({ role, content: [{ type: 'text', text }] });

function request(
  messages: ChatMessage[],
  more: { owner?: string; format?: OutputFormat; chat?: Partial<Extract<ChatInput, { type: 'chat' }>> } = {},
): WorkerRequest {
  return {
    model: 'm',
    input: { type: 'chat', messages, tools: [], toolChoice: { type: 'auto' }, ...more.chat },
    sampling: {},
    format: more.format ?? { type: 'text' },
    topLogprobs: null,
    maxTokens: null,
    stop: [],
    owner: more.owner ?? null,
    promptCache: 'keep',
  };
}

const schema = (type: string): OutputFormat => ({ type: 'json-schema', schema: { type } });
const tool = (name: string) => ({ chat: { tools: [{ name }] } });

describe('what makes requests alike', () => {
  it('is the schema, the tools and the instructions, not the words of the user', () => {
    const key = answerKey(request([says('system', 'Sort mails.'), says('user', 'one')]));
    expect(key).not.toBeNull();
    expect(answerKey(request([says('system', 'Sort mails.'), says('user', 'two')]))).toBe(key);
    expect(answerKey(request([says('system', 'Sort bills.'), says('user', 'one')]))).not.toBe(key);
    expect(answerKey(request([says('user', 'one')], { format: schema('object') }))).toBe(
      answerKey(request([says('user', 'two')], { format: schema('object') })),
    );
    expect(answerKey(request([says('user', 'one')], { format: schema('object') }))).not.toBe(
      answerKey(request([says('user', 'one')], { format: schema('array') })),
    );
    expect(answerKey(request([says('user', 'one')], tool('a')))).not.toBe(
      answerKey(request([says('user', 'one')], tool('b'))),
    );
  });

  it('is the owner too: nothing is shared between keys', () => {
    const messages = [says('system', 'Sort mails.'), says('user', 'one')];
    const keys = [answerKey(request(messages)), ...['a', 'b'].map((owner) => answerKey(request(messages, { owner })))];
    expect(new Set(keys).size).toBe(3);
  });

  it('is nothing where nothing may be kept', () => {
    expect(answerKey({ ...request([says('system', 'Sort mails.')]), promptCache: 'none' })).toBeNull();
  });

  it('is nothing for a plain question or raw text', () => {
    expect(answerKey(request([says('user', 'one')]))).toBeNull();
    expect(answerKey({ ...request([]), input: { type: 'text', prompt: 'Once' } })).toBeNull();
    const unused = { tools: [{ name: 'a' }], toolChoice: { type: 'none' as const } };
    expect(answerKey(request([says('user', 'one')], { chat: unused }))).toBeNull();
  });
});
