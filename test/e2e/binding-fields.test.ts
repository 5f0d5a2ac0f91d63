import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../support/server.ts';

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
});

interface Answer {
  system_fingerprint: string;
  choices: { text: string; message: { content: string } }[];
  error: { param: string };
}

const post = async (path: string, body: object) => {
  const response = await fetch(`${server.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ temperature: 0, max_tokens: 24, ...body }),
  });
  const answer = (await response.json()) as Answer;
  return { status: response.status, choices: answer.choices, error: answer.error, answer };
};
const user = { role: 'user', content: 'What is GGUF?' };

describe('what binds an answer of a real model', () => {
  it('is a grammar, in chat and in completions', async () => {
    const grammar = 'root ::= "yes" | "no"';
    const chat = await post('/v1/chat/completions', { messages: [user], grammar });
    expect(chat.choices[0]!.message.content).toMatch(/^(yes|no)$/);
    const text = await post('/v1/completions', { prompt: 'Is fire hot?', grammar });
    expect(text.choices[0]!.text).toMatch(/^(yes|no)$/);
  });

  it.each([
    '',
    'root',
    'root ::= (',
    'root ::= root "a"',
    'start ::= "a"',
    'root ::= nosuch',
    `root ::= ${'('.repeat(50_000)}`,
  ])('is no grammar that cannot be read: %.30s', async (grammar) => {
    const { status, error } = await post('/v1/completions', { prompt: 'Hi', grammar });
    // An empty one is none.
    if (grammar === '') expect(status).toBe(200);
    else expect([status, error.param]).toEqual([400, 'grammar']);
  });

  it('is a schema in completions', async () => {
    const json_schema = { type: 'object', properties: { a: { enum: [1, 2] } }, required: ['a'] };
    const { choices } = await post('/v1/completions', { prompt: 'Hearth is', json_schema });
    expect([1, 2]).toContain(JSON.parse(choices[0]!.text).a);
  });

  it('is the beginning that the client gives', async () => {
    const whole = await post('/v1/chat/completions', { messages: [user], max_tokens: 60 });
    const text: string = whole.choices[0]!.message.content;
    const begun = text.slice(0, text.indexOf(' ', 8));
    const messages = [user, { role: 'assistant', content: begun }];
    const rest = await post('/v1/chat/completions', { messages, continue_final_message: true, max_tokens: 60 });
    expect(begun + rest.choices[0]!.message.content).toBe(text);
  });

  it('are several prompts and those of token numbers, as the older clients send them', async () => {
    const { choices } = await post('/v1/completions', { prompt: ['Hearth is', 'GGUF is'], n: 2, echo: true });
    expect(choices.map(({ text }) => text.slice(0, 7))).toEqual(['Hearth ', 'Hearth ', 'GGUF is', 'GGUF is']);
    expect((await post('/v1/completions', { prompt: [[5, 6], [7]] })).choices).toHaveLength(2);
    const unknown = await post('/v1/completions', { prompt: [5, 2_000_000_000] });
    expect([unknown.status, unknown.error.param]).toEqual([400, 'prompt']);
  });

  it('leaves a fingerprint that stays', async () => {
    const [first, second] = [
      await post('/v1/completions', { prompt: 'a' }),
      await post('/v1/completions', { prompt: 'b' }),
    ];
    expect(first.answer.system_fingerprint).toMatch(/^b\d[\d.]*-[0-9a-f]{12}$/);
    expect(second.answer.system_fingerprint).toBe(first.answer.system_fingerprint);
  });
});
