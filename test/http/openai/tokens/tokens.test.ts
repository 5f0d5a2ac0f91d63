import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const post = (url: string, body: object) => harness.send('POST', url, body);
const lastRequest = () => harness.gateway.tokensCalls.at(-1)!;
const messages = [
  { role: 'system', content: 'A' },
  { role: 'user', content: 'b' },
];

describe('POST /tokenize', () => {
  it('gives numbers, as llama-server and vLLM do', async () => {
    const response = await post('/tokenize', { content: 'Hi', model: 'tiny' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ model: 'tiny', count: 2, tokens: [72, 105] });
    expect(response.headers).toMatchObject({ 'x-model-used': 'tiny', 'x-provider-used': 'local' });
  });

  it.each([
    [{ content: 'H' }, { addStart: false, controlsAreText: false }],
    [
      { content: 'H', add_special: true, parse_special: false },
      { addStart: true, controlsAreText: true },
    ],
    [{ prompt: 'H' }, { addStart: true, controlsAreText: false }],
    [{ prompt: 'H', add_special_tokens: false }, { addStart: false }],
    [{ content: 'H', keep_alive: 1 }, { keepAliveMs: 1000 }],
  ])('takes %j', async (body, wanted) => {
    expect((await post('/tokenize', body)).statusCode).toBe(200);
    expect(lastRequest()).toMatchObject({ input: { type: 'text', prompt: 'H' }, ...wanted });
  });

  it('gives pieces in both forms', async () => {
    const { tokens } = (await post('/tokenize', { content: 'a€', with_pieces: true })).json();
    expect(tokens).toEqual([
      { id: 97, piece: 'a' },
      { id: 8364, piece: '€' },
    ]);
    const body = (await post('/tokenize', { prompt: 'ab', add_special_tokens: false, return_token_strs: true })).json();
    expect(body).toMatchObject({ tokens: [97, 98], token_strs: ['a', 'b'] });
  });

  it('reads the prompt that messages become', async () => {
    const body = (await post('/tokenize', { messages, chat_template_kwargs: { x: true } })).json();
    expect(body.count).toBe(3);
    expect(lastRequest().input).toMatchObject({ type: 'chat', templateOptions: { x: true } });
  });

  it('takes an empty text', async () => {
    expect((await post('/tokenize', { content: '' })).json()).toMatchObject({ tokens: [], count: 0 });
  });

  it.each([
    [{}, 'content'],
    [{ content: 'a', prompt: 'b' }, 'prompt'],
    [{ content: 'a', messages }, 'messages'],
    [{ content: 5 }, 'content'],
  ])('refuses %j by name', async (body, param) => {
    const response = await post('/tokenize', body);
    expect(response.statusCode).toBe(400);
    expect(response.json().error.param).toBe(param);
  });
});

describe('POST /detokenize', () => {
  it('gives the text under both names', async () => {
    expect((await post('/detokenize', { tokens: [72, 105] })).json()).toEqual({ content: 'Hi', prompt: 'Hi' });
  });

  it.each([
    [{ tokens: [1, -1] }, 'tokens.1'],
    [{ tokens: ['a'] }, 'tokens.0'],
    [{ tokens: [2 ** 31] }, 'tokens.0'],
    [{ tokens: [] }, 'tokens'],
    [{}, 'tokens'],
  ])('refuses %j by name', async (body, param) => {
    const response = await post('/detokenize', body);
    expect(response.statusCode).toBe(400);
    expect(response.json().error.param).toBe(param);
  });
});

describe('a chat without an answer', () => {
  it('shows its prompt', async () => {
    expect((await post('/apply-template', { messages })).json()).toEqual({ prompt: 'A|b' });
  });

  it('counts its tokens', async () => {
    const response = await post('/v1/chat/completions/input_tokens', { messages, model: 'tiny' });
    expect(response.json()).toEqual({ object: 'response.input_tokens', input_tokens: 5 });
    expect(response.headers['x-model-used']).toBe('tiny');
  });

  it.each(['/apply-template', '/v1/chat/completions/input_tokens'])('is refused at %s as a chat is', async (url) => {
    const response = await post(url, { messages: [{ role: 'nobody' }] });
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ param: 'messages.0.role', type: 'invalid_request_error' });
  });
});

describe('a prompt of tokens that is echoed', () => {
  it('stands before its answer as text, whole and in a stream', async () => {
    const prompt = [[72, 105], 'Yo', [72, 101]];
    const body = (await post('/v1/completions', { prompt, echo: true })).json();
    const texts = body.choices.map(({ text }: { text: string }) => text);
    expect(texts).toEqual(['HiHello world', 'YoHello world', 'HeHello world']);
    const stream = await post('/v1/completions', { prompt: [72, 105], echo: true, stream: true });
    expect(stream.body).toContain('"text":"Hi"');
  });
});
