import { describe, expect, it } from 'vitest';
import { badInputs } from './runner.ts';
import { generating, nameOf, type Target, targets } from './targets.ts';

const { send, refused } = badInputs();

interface ToolWish {
  name: string;
  description?: string;
  parameters?: unknown;
}
/** How a dialect words tools and conversations. */
interface Wording {
  /** More tools than are taken. */
  tooMany: number;
  tool(wish: ToolWish): object;
  /** Of the first tool. */
  name: string;
  parameters: string;
  /** The field of a conversation, and one in which a result answers no call. */
  conversation: string;
  lostResult: unknown[];
}
const openai: Wording = {
  tooMany: 129,
  tool: (wish) => ({ type: 'function', function: wish }),
  name: 'function.name',
  parameters: 'function.parameters',
  conversation: 'messages',
  lostResult: [
    { role: 'user', content: 'Hi' },
    { role: 'tool', tool_call_id: 'call_1', content: '7' },
  ],
};
const wordings: Record<string, Wording> = {
  '/v1/chat/completions': openai,
  '/v1/responses': {
    ...openai,
    tool: (wish) => ({ type: 'function', ...wish }),
    name: 'name',
    parameters: 'parameters',
    conversation: 'input',
    lostResult: [{ type: 'function_call_output', call_id: 'call_1', output: '7' }],
  },
  '/v1/messages': {
    ...openai,
    tooMany: 1_025,
    tool: ({ parameters = { type: 'object' }, ...wish }) => ({ ...wish, input_schema: parameters }),
    name: 'name',
    parameters: 'input_schema',
    lostResult: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: '7' }] }],
  },
  '/api/chat': {
    ...openai,
    lostResult: [
      { role: 'user', content: 'Hi' },
      { role: 'tool', tool_name: 'f', content: '7' },
    ],
  },
};
const alike: Record<string, string> = {
  '/api/v1/messages/create': '/v1/messages',
  '/api/v1/messages/stream': '/v1/messages',
  '/ollama/api/chat': '/api/chat',
};
const wordingOf = ({ url }: Target) => wordings[url] ?? wordings[alike[url] ?? ''];
const withTools = generating.flatMap((target) => {
  const wording = wordingOf(target);
  return wording === undefined ? [] : [[nameOf(target), target, wording] as const];
});

describe.each(withTools)('%s', (_name, target, wording) => {
  const tools = (wishes: ToolWish[]) => ({ ...target.valid, tools: wishes.map(wording.tool) });
  const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `f${index}` }));

  it('takes tools that are in order', async () => {
    expect((await send(target, tools(numbered(wording.tooMany - 1)))).statusCode).toBe(200);
  });

  it.each<[string, ToolWish[], string]>([
    ['more tools than any model reads', numbered(wording.tooMany), 'tools'],
    ['a description of a mebibyte', [{ name: 'f', description: 'x'.repeat(1024 * 1024) }], 'tools'],
    ['two tools of one name', [{ name: 'f' }, { name: 'f' }], `tools.1.${wording.name}`],
    ['a name with a space', [{ name: 'a b' }], `tools.0.${wording.name}`],
    ['a name without a letter', [{ name: '' }], `tools.0.${wording.name}`],
    ['a name of 300 letters', [{ name: 'x'.repeat(300) }], `tools.0.${wording.name}`],
    ['parameters that are no object', [{ name: 'f', parameters: { type: 'string' } }], `tools.0.${wording.parameters}`],
    ['parameters that are a list', [{ name: 'f', parameters: [] }], `tools.0.${wording.parameters}`],
  ])('refuses %s', (_title, wishes, field) => refused(target, tools(wishes), { field }));

  // A conversation that holds a mistake must be one that can go on.
  it('goes on after a result that answers no call', async () => {
    const { statusCode, body } = await send(target, { ...target.valid, [wording.conversation]: wording.lostResult });
    expect(statusCode, body).toBe(200);
  });
});

const chats = targets.filter(({ fields }) => fields['messages'] !== undefined);

describe.each(chats.map((target) => [nameOf(target), target] as const))('%s', (_name, target) => {
  const isOllama = target.errors.name === 'Ollama';
  /** Content may be a list of parts, whose place is named then. */
  const hasParts = !isOllama && !target.isStrict;
  const ask = (messages: unknown) => ({ ...target.valid, messages });

  it('refuses a conversation without messages, which asks Ollama to load', async () => {
    if (!isOllama) return refused(target, ask([]), { field: 'messages' });
    expect((await send(target, ask([]))).json()).toMatchObject({ done_reason: 'load' });
  });

  it.each<[string, unknown, string]>([
    ['content that is a number', 7, ''],
    ['content that is an object', { text: 'Hi' }, ''],
    ['a text without text', [{ type: 'text' }], '.0.text'],
    ['a part that is a text', ['Hi'], '.0'],
  ])('refuses %s', (_title, content, below) =>
    refused(target, ask([{ role: 'user', content }]), { field: `messages.0.content${hasParts ? below : ''}` }),
  );

  it.each<[string, unknown]>([
    ['only a system message', [{ role: 'system', content: 'Be kind.' }]],
    ['empty content', [{ role: 'user', content: '' }]],
  ])('goes on after %s', async (_title, messages) => {
    const { statusCode, body } = await send(target, ask(messages));
    expect(statusCode, body).toBe(200);
  });
});
