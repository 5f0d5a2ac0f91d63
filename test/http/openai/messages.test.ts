import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '../../../src/core/chat.ts';
import { toMessages } from '../../../src/http/openai/chat/messages.ts';
import { chatBody } from '../../../src/http/openai/chat/schema.ts';

const user = { role: 'user', content: 'Hi' };
const read = (...messages: object[]): ChatMessage[] => toMessages(chatBody.parse({ messages }).messages);
const call = (fields: object) => ({ role: 'assistant', tool_calls: [fields] });

describe('messages of earlier turns', () => {
  it.each<[string, object[]]>([
    ['an assistant with null', [user, { role: 'assistant', content: null, tool_calls: [] }, user]],
    ['an assistant without content', [user, { role: 'assistant' }]],
    [
      'empty lists of parts',
      [
        { role: 'user', content: [] },
        { role: 'assistant', content: [] },
      ],
    ],
    [
      'null everywhere',
      [
        { role: 'system', content: null },
        { role: 'user', content: null },
      ],
    ],
    ['instructions only', [{ role: 'system', content: 'Translate' }]],
    ['the assistant first', [{ role: 'assistant', content: 'Hello' }, user]],
    ['a result that answers no call', [user, { role: 'tool', tool_call_id: 'x', content: 'y' }]],
    ['a result of nothing', [user, { role: 'tool', tool_call_id: '', content: null }]],
  ])('are taken as they are: %s', (_title, messages) => {
    expect(read(...messages)).toHaveLength(messages.length);
  });

  it.each([
    ['{"city": "Par', {}],
    ['["Paris"]', {}],
    ['"Paris"', {}],
    ['', {}],
    ['['.repeat(100_000), {}],
    ['{"city":"Paris"}', { city: 'Paris' }],
  ])('keep the arguments of a call as they were written: %.20s', (written, parsed) => {
    const [, message] = read(user, call({ id: 'c', type: 'function', function: { name: 'f', arguments: written } }));
    expect(message!.content).toEqual([
      { type: 'tool-call', id: 'c', name: 'f', arguments: parsed, argumentsText: written },
    ]);
  });

  it('may have calls as other services send them: arguments as an object, no id, no type, any name', () => {
    const [, message] = read(user, call({ function: { name: 'a.b/c d', arguments: { x: 1 } } }));
    expect(message!.content).toEqual([
      { type: 'tool-call', id: 'call_1_0', name: 'a.b/c d', arguments: { x: 1 }, argumentsText: '{"x":1}' },
    ]);
  });

  it("may be in OpenAI's older form, where a result names its function", () => {
    const messages = read(
      user,
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
      { role: 'function', name: 'f', content: '7' },
    );
    expect(messages[1]!.content).toMatchObject([{ type: 'tool-call', id: 'call_1', name: 'f' }]);
    expect(messages[2]!.content).toMatchObject([{ type: 'tool-result', callId: 'call_1', name: 'f' }]);
  });

  it('lose the parts of an assistant that no model reads, and keep its refusals', () => {
    const content = [
      { type: 'refusal', refusal: 'No.' },
      { type: 'thinking', thinking: 'hm' },
      { type: 'output_text', text: ' Sorry.' },
    ];
    const [, message] = read(user, { role: 'assistant', content });
    expect(message!.content).toEqual([
      { type: 'text', text: 'No.' },
      { type: 'text', text: ' Sorry.' },
    ]);
  });
});
