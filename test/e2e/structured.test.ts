import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answers, tokenCounts, tools } from '../support/answers.ts';
import { collect } from '../support/collect.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const ask = (content: string) => [{ role: 'user' as const, content }];
const greedy = { model: 'default', temperature: 0 };

let server: RunningServer;
let client: OpenAI;

beforeAll(async () => {
  server = await startServer();
  client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });
});
afterAll(async () => {
  await server?.stop();
});

/** What the SDK throws for a request. */
const failureOf = (request: Promise<unknown>) =>
  request.then(
    () => null,
    (thrown: unknown) => thrown,
  );

/** A native request and its answer. */
async function generate(body: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${server.baseUrl}/generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('structured output', () => {
  const light = z.object({
    room: z.enum(['kitchen', 'bath', 'attic']),
    level: z.int().min(0).max(100),
    isOn: z.boolean(),
    hours: z.array(z.int().min(0).max(23)).max(3),
    note: z.string().max(20).nullable(),
  });

  it('gives an object that the zod schema of the SDK accepts', async () => {
    const completion = await client.chat.completions.parse({
      ...greedy,
      messages: ask('Switch the light in the kitchen off.'),
      response_format: zodResponseFormat(light, 'light'),
    });
    const choice = completion.choices[0]!;
    expect(choice.finish_reason).toBe('stop');
    expect(light.parse(choice.message.parsed)).toEqual(JSON.parse(choice.message.content!));
  });

  it('streams the same text as it gives whole', async () => {
    // Without the free text: there the model is so unsure that rounding decides between two words.
    const certain = light.omit({ note: true });
    const body = { ...greedy, messages: ask('Hello!'), response_format: zodResponseFormat(certain, 'light') };
    const whole = await client.chat.completions.create(body);
    const chunks = await collect(await client.chat.completions.create({ ...body, stream: true }));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(certain.safeParse(JSON.parse(text)).success).toBe(true);
  });

  it('gives a JSON object in JSON mode, which a stop string still ends', async () => {
    const body = {
      ...greedy,
      messages: ask('What is Hearth?'),
      response_format: { type: 'json_object' as const },
      max_tokens: 200,
    };
    const { choices } = await client.chat.completions.create(body);
    const { content } = choices[0]!.message;
    expect(content).toMatch(/^\{/);
    if (choices[0]!.finish_reason === 'stop') expect(JSON.parse(content!)).toBeTypeOf('object');

    // A piece of the answer itself, so that it is certain to come.
    const stop = content!.slice(2, 6);
    const stopped = await client.chat.completions.create({ ...body, stop });
    expect(stopped.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: content!.slice(0, content!.indexOf(stop)) },
    });
  });

  it('keeps to a schema on the native route, with a stop string beside it', async () => {
    const format = { type: 'object', properties: { color: { enum: ['red', 'blue'] } }, required: ['color'] };
    const { status, body } = await generate({ prompt: 'Hello!', temperature: 0, format });
    expect(status).toBe(200);
    expect(JSON.parse(String(body['text']))).toEqual({ color: expect.stringMatching(/^(red|blue)$/) });
    const stopped = await generate({ prompt: 'Hello!', temperature: 0, format, stop: 'color' });
    expect(stopped.body).toMatchObject({ finish_reason: 'stop', text: expect.stringMatching(/^\{\s*"$/) });
  });

  it('refuses a keyword that it cannot keep, by name and in the field that the client wrote', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a|b)\\1$' } }, required: ['a'] };
    const failure = await failureOf(
      client.chat.completions.create({
        ...greedy,
        messages: ask('Hello!'),
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
      }),
    );
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure).toMatchObject({ param: 'response_format', message: expect.stringContaining('"pattern"') });
    const native = await generate({ prompt: 'Hello!', format: schema });
    expect(native.status).toBe(400);
    expect(native.body).toMatchObject({ error: { code: 'INVALID_REQUEST', details: { field: 'format' } } });
    const mixed = await generate({ prompt: 'Hello!', format: 'json', ignore_eos: true });
    expect(mixed.body).toMatchObject({
      error: { message: expect.stringContaining('cannot be combined'), details: { field: 'format' } },
    });
  });

  it('gives a set of texts, which only a check can tell, and streams it at its end', async () => {
    const schema = {
      type: 'object',
      properties: { words: { type: 'array', items: { type: 'string', maxLength: 8 }, uniqueItems: true } },
      required: ['words'],
      additionalProperties: false,
    };
    const asked = {
      ...greedy,
      max_tokens: 200,
      messages: ask('List three colours.'),
      response_format: { type: 'json_schema' as const, json_schema: { name: 'a', schema } },
    };
    const whole = await client.chat.completions.create(asked);
    const { words } = JSON.parse(whole.choices[0]!.message.content!) as { words: string[] };
    expect(new Set(words).size).toBe(words.length);
    expect(whole.choices[0]!.finish_reason).toBe('stop');
    const streamed = await collect(await client.chat.completions.create({ ...asked, stream: true }));
    expect(streamed.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(
      whole.choices[0]!.message.content,
    );
  });

  it('answers with a call or with text of the format where a request has both', async () => {
    const schema = {
      type: 'object',
      properties: { text: { type: 'string', maxLength: 20 } },
      required: ['text'],
      additionalProperties: false,
    };
    for (const content of ['Switch the light in the kitchen off.', 'Thanks!']) {
      const { choices } = await client.chat.completions.create({
        ...greedy,
        messages: ask(content),
        tools,
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
      });
      const { message } = choices[0]!;
      if (message.tool_calls?.length) expect(message.content).toBeNull();
      else expect(JSON.parse(message.content!)).toEqual({ text: expect.any(String) });
    }
  });

  it.each([
    ['required', 'required' as const],
    ['named', { type: 'function' as const, function: { name: 'set_light' } }],
  ])('holds the arguments of a %s call to the schema of its tool', async (_title, choice) => {
    const arms = z.strictObject({ room: z.string(), state: z.enum(['on', 'off']) });
    const cities = z.strictObject({ city: z.string() });
    for (const content of ['Switch the light in the kitchen off.', 'Thanks!']) {
      const { choices } = await client.chat.completions.create({
        ...greedy,
        messages: ask(content),
        tools,
        tool_choice: choice,
      });
      const [call] = choices[0]!.message.tool_calls ?? [];
      if (call?.type !== 'function') throw new Error(`no call of a function: ${JSON.stringify(choices[0])}`);
      if (choice !== 'required') expect(call.function.name).toBe('set_light');
      const schema = call.function.name === 'set_light' ? arms : cities;
      const parsed = schema.safeParse(JSON.parse(call.function.arguments));
      expect([call.function.arguments, parsed.error?.message]).toEqual([call.function.arguments, undefined]);
    }
  });
});

describe('log probabilities', () => {
  const body = { ...greedy, messages: ask('What is Hearth?'), logprobs: true, top_logprobs: 20 };

  it('name every token of the answer, the greedy one first among the likeliest', async () => {
    const completion = await client.chat.completions.create(body);
    const choice = completion.choices[0]!;
    const tokens = choice.logprobs!.content!;
    expect(choice.message.content).toBe(answers['What is Hearth?']);
    expect(tokens.map(({ token }) => token).join('')).toBe(choice.message.content);
    expect(tokens).toHaveLength(completion.usage!.completion_tokens);
    for (const { token, logprob, top_logprobs: top } of tokens) {
      expect(top).toHaveLength(20);
      expect(top[0]).toMatchObject({ token, logprob });
      const sum = top.reduce((total, candidate) => total + Math.exp(candidate.logprob), 0);
      expect(sum).toBeLessThanOrEqual(1.0001);
      expect(sum).toBeGreaterThan(0.5);
    }
    expect(choice.logprobs!.refusal).toBeNull();
  });

  it('are the same in a stream, and the bytes of all tokens are the text', async () => {
    const question = { ...body, messages: ask('你好') };
    const whole = (await client.chat.completions.create(question)).choices[0]!;
    const chunks = await collect(await client.chat.completions.create({ ...question, stream: true }));
    const streamed = chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
    expect(streamed.map(({ token }) => token)).toEqual(whole.logprobs!.content!.map(({ token }) => token));
    const bytes = streamed.flatMap((token) => token.bytes ?? []);
    expect(new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes))).toBe(answers['你好']);
  });

  it('have the old form in the legacy completions', async () => {
    const { choices } = await client.completions.create({
      ...greedy,
      prompt: '<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n',
      max_tokens: 12,
      logprobs: 3,
    });
    const { text, logprobs } = choices[0]!;
    expect(logprobs!.tokens).toHaveLength(12);
    expect(logprobs!.tokens!.join('')).toBe(text);
    expect(logprobs!.text_offset!.map((offset) => text.slice(offset)[0])).toEqual(
      logprobs!.tokens!.map((token) => token[0]),
    );
    for (const [index, top] of logprobs!.top_logprobs!.entries()) {
      expect(Math.max(...Object.values(top))).toBe(logprobs!.token_logprobs![index]);
    }
  });

  it('come with an answer that a seed repeats', async () => {
    const sampled = { ...body, temperature: 1.5, seed: 11, max_tokens: 24, messages: ask('Tell me a story.') };
    const texts = [];
    for (const seed of [11, 11, 12]) {
      const { choices } = await client.chat.completions.create({ ...sampled, seed });
      texts.push(choices[0]!.message.content);
    }
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).not.toBe(texts[0]);
  });
});

describe('which tokens an answer may have', () => {
  /** The first token of an answer, as text. */
  async function firstText(question: string, bias: Record<string, number>): Promise<string> {
    const { choices } = await client.chat.completions.create({
      ...greedy,
      messages: ask(question),
      max_tokens: 1,
      logit_bias: bias,
    });
    return choices[0]!.message.content ?? '';
  }

  /** Numbers of tokens that the model has, in pieces of as many as one request may forbid. */
  async function tokenRanges(): Promise<number[][]> {
    const failure = await failureOf(firstText('Hello!', { '999999999': 1 }));
    const count = Number(/has (\d+) tokens/.exec(String(failure))?.[1]);
    const numbers = Array.from({ length: count }, (_, token) => token);
    return Array.from({ length: Math.ceil(count / 300) }, (_, index) => numbers.slice(index * 300, index * 300 + 300));
  }

  it('is moved by logit_bias: -100 forbids a token and 100 forces it', async () => {
    const plain = await firstText('Hello!', {});
    expect(answers['Hello!'].startsWith(plain)).toBe(true);
    const isAmong = async (tokens: number[]) => {
      const bias = Object.fromEntries(tokens.map((token) => [token, -100]));
      return (await firstText('Hello!', bias)) !== plain;
    };
    let found: number[] = [];
    for (const range of await tokenRanges()) if (await isAmong(range)) found = range;
    // No answer says the number of a token; halves of those whose loss changes the answer lead to it.
    while (found.length > 1) {
      const half = found.slice(0, Math.ceil(found.length / 2));
      found = (await isAmong(half)) ? half : found.slice(half.length);
    }
    expect(await isAmong(found)).toBe(true);
    expect(await firstText('Thanks!', {})).not.toBe(plain);
    expect(await firstText('Thanks!', { [found[0]!]: 100 })).toBe(plain);
  });

  it('refuses the number of a token that the model does not have', async () => {
    const failure = await failureOf(
      client.chat.completions.create({ ...greedy, messages: ask('Hello!'), logit_bias: { '99999999': 1 } }),
    );
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure).toMatchObject({ param: 'logit_bias' });
  });

  it('runs to max_tokens with ignore_eos', async () => {
    const body = { ...greedy, messages: ask('Thanks!'), max_tokens: 80, ignore_eos: true };
    const { choices, usage } = await client.chat.completions.create(body);
    expect(choices[0]!.finish_reason).toBe('length');
    expect(usage!.completion_tokens).toBe(80);
    const native = await generate({ prompt: 'Thanks!', temperature: 0, max_tokens: 80, ignore_eos: true });
    expect(native.body).toMatchObject({ finish_reason: 'length', usage: { completion_tokens: 80 } });
  });

  it('does not end before min_tokens', async () => {
    const body = { ...greedy, messages: ask('Thanks!'), max_tokens: 100 };
    const short = await client.chat.completions.create(body);
    expect(short.usage!.completion_tokens).toBeLessThan(20);
    const long = await client.chat.completions.create({ ...body, ...{ min_tokens: 20 } });
    expect(long.usage!.completion_tokens).toBeGreaterThanOrEqual(20);
  });

  it('takes XTC and DRY, which change the answer', async () => {
    const open = { prompt: 'Tell me a story.', temperature: 1, top_p: 1, min_p: 0, seed: 3, max_tokens: 40 };
    const [plain, xtc] = [await generate(open), await generate({ ...open, xtc_probability: 1, xtc_threshold: 0.01 })];
    expect([plain.status, xtc.status]).toEqual([200, 200]);
    expect(xtc.body['text']).not.toBe(plain.body['text']);

    // The model says one thing again and again, unless repeating costs; with ignore_eos we choose its tokens, else llama.cpp.
    const dry = {
      dry_multiplier: 5,
      dry_base: 2,
      dry_allowed_length: 1,
      dry_sequence_breakers: ['\n'],
    };
    const again = /(\W?\w{2,}?)\1{4}/;
    const wishes = [
      { prompt: 'Thanks!', ignore_eos: true },
      { prompt: 'la la la la la la la la la la', raw: true },
    ];
    for (const wish of wishes) {
      const long = { temperature: 0, max_tokens: 120, ...wish };
      const [repeated, dried] = [await generate(long), await generate({ ...long, ...dry })];
      expect([repeated.status, dried.status]).toEqual([200, 200]);
      expect(repeated.body['text']).toMatch(again);
      expect(dried.body['text']).not.toMatch(again);
    }
  });
});

describe('several answers to one request', () => {
  async function evaluatedTokens(): Promise<number> {
    const metrics = await (await fetch(`${server.baseUrl}/metrics`)).text();
    const series = `hearth_prompt_tokens_evaluated_total{model="${builtInModel}"} `;
    const line = metrics.split('\n').find((text) => text.startsWith(series));
    return line === undefined ? 0 : Number(line.slice(series.length));
  }

  it('are equal at temperature 0, and the prompt is computed once', async () => {
    const { prompt, completion } = tokenCounts['What is Hearth?'];
    const before = await evaluatedTokens();
    const { choices, usage } = await client.chat.completions.create({
      ...greedy,
      messages: ask('What is Hearth?'),
      n: 3,
    });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    for (const { message } of choices) expect(message.content).toBe(answers['What is Hearth?']);
    expect(usage).toMatchObject({ prompt_tokens: prompt, completion_tokens: 3 * completion });
    // Each answer computes the last token of the prompt for itself.
    expect((await evaluatedTokens()) - before).toBeLessThanOrEqual(prompt + 2);
  });

  it('differ by seeds that count up from the one given, whole and in a stream that the SDK puts together', async () => {
    const body = { model: 'default', messages: ask('Tell me a story.'), temperature: 1.2, max_tokens: 24 };
    const single = async (seed: number) => {
      const { choices } = await client.chat.completions.create({ ...body, seed });
      return choices[0]!.message.content;
    };
    const alone = [await single(5), await single(6)];
    expect(alone[0]).not.toBe(alone[1]);
    const { choices } = await client.chat.completions.create({ ...body, seed: 5, n: 2 });
    expect(choices.map(({ message }) => message.content)).toEqual(alone);
    const streamed = await client.chat.completions.stream({ ...body, seed: 5, n: 2 }).finalChatCompletion();
    expect(streamed.choices.map(({ message }) => message.content)).toEqual(alone);
  });

  it('may be more than there are slots', async () => {
    const { choices } = await client.chat.completions.create({ ...greedy, messages: ask('Thanks!'), n: 8 });
    expect(choices.map(({ message }) => message.content)).toEqual(Array.from({ length: 8 }, () => answers['Thanks!']));
  });
});
