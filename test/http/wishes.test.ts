import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AppError } from '../../src/core/errors.ts';
import { answerEvents } from '../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const prompts = { prompt: 'Hi' };
const valid: Record<string, object> = {
  '/generate': prompts,
  '/generate/stream': prompts,
  '/api/v1/generate': prompts,
  '/v1/completions': prompts,
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'Hi' }] },
};
const send = (url: string, fields: object) => harness.send('POST', url, { ...valid[url], ...fields });
const lastRequest = () => harness.gateway.calls.at(-1)!.request;

describe('chat_template_kwargs', () => {
  const url = '/v1/chat/completions';

  it('reaches the template as it is', async () => {
    const options = { enable_thinking: false, mode: 'brief', depth: 3, none: null };
    expect((await send(url, { chat_template_kwargs: options })).statusCode).toBe(200);
    expect(lastRequest().input).toMatchObject({ type: 'chat', templateOptions: options });
    await send(url, { chat_template_kwargs: null });
    expect(lastRequest().input).not.toHaveProperty('templateOptions');
  });

  it.each([
    { enable_thinking: { deep: true } },
    { text: 'x'.repeat(1025) },
    Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 1])),
    'enable_thinking',
  ])('is refused by name when it is not a small flat object', async (options) => {
    const response = await send(url, { chat_template_kwargs: options });
    expect(response.statusCode).toBe(400);
    expect(response.json().error.param).toMatch(/^chat_template_kwargs/);
  });
});

describe.each(Object.keys(valid))('POST %s', (url) => {
  it.each([
    [undefined, undefined],
    [true, undefined],
    [false, 'none'],
    ['pin', 'pin'],
  ])('with cache_prompt %j asks for %j', async (value, expected) => {
    const response = await send(url, value === undefined ? {} : { cache_prompt: value });
    expect(response.statusCode).toBe(200);
    expect(lastRequest().promptCache).toBe(expected);
  });

  it.each([
    [{ top_p: 0, top_k: 40 }, { topK: 1 }],
    [
      { top_k: -1, top_p: 0.5 },
      { topK: 0, topP: 0.5 },
    ],
  ])('reads %j as other servers do', async (fields, expected) => {
    expect((await send(url, fields)).statusCode).toBe(200);
    expect(lastRequest().sampling).toEqual(expected);
  });

  it.each(['', [''], []])('takes the stop string %j for none', async (stop) => {
    expect((await send(url, { stop })).statusCode).toBe(200);
    expect(lastRequest().stop).toEqual([]);
  });

  it('keeps a model for ever when asked to keep it for longer than anyone lives', async () => {
    expect((await send(url, { keep_alive: 9e12 })).statusCode).toBe(200);
    expect(lastRequest().keepAliveMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('hands the extras of sampling to the core in its own words', async () => {
    const response = await send(url, {
      logit_bias: { '5': -100, '17': 0.5 },
      ignore_eos: true,
      min_tokens: 3,
      xtc_probability: 0.5,
      xtc_threshold: 0.2,
      dry_multiplier: 0.8,
      dry_base: 1.5,
      dry_allowed_length: 4,
      dry_penalty_last_n: 64,
      dry_sequence_breakers: ['\n', ':'],
    });
    expect(response.statusCode).toBe(200);
    expect(lastRequest().sampling).toEqual({
      logitBias: { 5: -100, 17: 0.5 },
      ignoreEnd: true,
      minTokens: 3,
      xtc: { probability: 0.5, threshold: 0.2 },
      dry: { multiplier: 0.8, base: 1.5, allowedLength: 4, lastTokens: 64, sequenceBreakers: ['\n', ':'] },
    });
  });

  it('leaves out what is off, so that nobody pays for it', async () => {
    await send(url, {
      logit_bias: {},
      ignore_eos: false,
      min_tokens: 0,
      xtc_probability: 0,
      xtc_threshold: 0.5,
      dry_multiplier: 0,
      dry_base: 2,
    });
    expect(lastRequest().sampling).toEqual({});
  });

  it('takes the defaults of llama.cpp for the rest of XTC and DRY, and -1 for all tokens', async () => {
    await send(url, { xtc_probability: 1, dry_multiplier: 1, dry_penalty_last_n: -1 });
    expect(lastRequest().sampling).toEqual({ xtc: { probability: 1, threshold: 0.1 }, dry: { multiplier: 1 } });
  });
});

describe('the form of an answer', () => {
  const schema = { type: 'object', properties: { a: { const: 1 } } };

  it.each([
    [{ type: 'text' }, undefined],
    [{ type: 'json_object' }, { type: 'json' }],
    [
      { type: 'json_schema', json_schema: { name: 'a', schema, strict: true, description: 'b' } },
      { type: 'json-schema', schema, name: 'a', strict: true, description: 'b' },
    ],
    [
      { type: 'json_object', schema },
      { type: 'json-schema', schema },
    ],
    [null, undefined],
  ])('is taken from the response_format %j', async (response_format, format) => {
    expect((await send('/v1/chat/completions', { response_format })).statusCode).toBe(200);
    expect(lastRequest().format).toEqual(format);
  });

  it.each(['/v1/chat/completions', '/v1/completions'])('is taken from each field of %s that says it', async (url) => {
    const gbnf = 'root ::= "yes" | "no"';
    for (const [fields, format] of [
      [{ json_schema: schema }, { type: 'json-schema', schema }],
      [{ grammar: gbnf }, { type: 'grammar', gbnf }],
      [
        { grammar: gbnf, response_format: { type: 'text' } },
        { type: 'grammar', gbnf },
      ],
      [{ response_format: { type: 'json_object' } }, { type: 'json' }],
    ] as const) {
      expect((await send(url, fields)).statusCode).toBe(200);
      expect(lastRequest().format).toEqual(format);
    }
    const both = await send(url, { grammar: gbnf, json_schema: schema });
    expect([both.statusCode, both.json().error.param]).toEqual([400, 'grammar']);
  });

  it.each(['json_schema', 'grammar'])('is refused under the name of its field: %s', async (field) => {
    harness.gateway.play(() => {
      throw new AppError('invalid_request', 'No.', { field: 'format' });
    });
    const response = await send('/v1/completions', { [field]: field === 'grammar' ? 'root' : schema });
    expect(response.json().error.param).toBe(field);
  });

  it.each(['guided_json', 'guided_regex', 'guided_choice', 'guided_grammar', 'structured_outputs', 'format'])(
    'is not dropped where we do not know its field: %s',
    async (field) => {
      for (const url of ['/v1/chat/completions', '/v1/completions']) {
        const response = await send(url, { [field]: 'json' });
        expect([response.statusCode, response.json().error.param]).toEqual([400, field]);
        expect((await send(url, { [field]: null })).statusCode).toBe(200);
      }
    },
  );

  it.each(['/generate', '/generate/stream', '/api/v1/generate'])('is taken from the format of %s', async (url) => {
    await send(url, { format: 'json' });
    expect(lastRequest().format).toEqual({ type: 'json' });
    await send(url, { format: schema });
    expect(lastRequest().format).toEqual({ type: 'json-schema', schema });
    await send(url, {});
    expect(lastRequest().format).toBeUndefined();
  });

  it('is taken from the format of a message on a WebSocket, and an error of it names that field', async () => {
    harness.gateway.play(() => {
      throw new AppError('invalid_request', 'The JSON schema at #: no.', { field: 'format' });
    });
    const socket = new WebSocket(`${(await harness.http.listen()).replace('http', 'ws')}/ws/generate`);
    await new Promise((resolve) => socket.once('open', resolve));
    const answered = new Promise<string>((resolve) => socket.once('message', (data) => resolve(data.toString())));
    socket.send(JSON.stringify({ action: 'generate', prompt: 'Hi', format: schema, ignore_eos: true }));
    expect(JSON.parse(await answered)).toMatchObject({ type: 'error', error: { details: { field: 'format' } } });
    expect(lastRequest()).toMatchObject({ format: { type: 'json-schema', schema }, sampling: { ignoreEnd: true } });
    socket.terminate();
  });
});

describe('an error of a provider', () => {
  /** The field that the error answer of a route names. */
  async function fieldOf(url: string, error: AppError): Promise<{ field: unknown; text: string }> {
    harness.gateway.play(() => {
      throw error;
    });
    const response = await send(url, {});
    expect(response.statusCode).toBe(error.status);
    const body = response.json();
    return { field: body.error.param ?? body.error.details?.field ?? body.field, text: response.body };
  }

  it.each([
    ['/v1/chat/completions', 'messages'],
    ['/v1/completions', 'prompt'],
    ['/generate', 'prompt'],
    ['/generate/stream', 'prompt'],
    ['/api/v1/generate', 'prompt'],
  ])('that the prompt is too long names it on %s: %s', async (url, field) => {
    const options = { field: 'input', fix: 'Shorten the prompt.', details: { prompt_tokens: 9, context_tokens: 8 } };
    const error = new AppError('context_length_exceeded', 'Too long: 9 of 8.', options);
    const named = await fieldOf(url, error);
    expect(named.field).toBe(field);
    expect(named.text).toContain('Shorten the prompt.');
  });

  it.each([
    ['/v1/chat/completions', 'response_format'],
    ['/generate', 'format'],
    ['/api/v1/generate', 'format'],
  ])('about the form of the answer names it on %s: %s', async (url, field) => {
    const fix = 'Leave out one of the two.';
    const named = await fieldOf(url, new AppError('not_supported', 'Not both.', { field: 'format', fix }));
    expect(named.field).toBe(field);
    expect(named.text).toContain('Not both.');
  });

  it.each(['/v1/chat/completions', '/generate'])(
    'about a field that all dialects share has its name on %s',
    async (url) => {
      const error = new AppError('invalid_request', 'No such token.', { field: 'sampling.logitBias' });
      expect((await fieldOf(url, error)).field).toBe('logit_bias');
    },
  );

  it.each([
    ['/v1/chat/completions', 'response_format'],
    ['/generate/stream', 'format'],
  ])('in the middle of a stream of %s names %s in its last record', async (url, field) => {
    harness.gateway.play(function* () {
      yield* answerEvents(['Hel']).slice(0, -1);
      throw new AppError('invalid_request', 'It cannot be kept.', { field: 'format' });
    });
    const last = JSON.parse(sseData((await send(url, { stream: true })).body).at(-1)!);
    expect(last.error.param ?? last.error.details.field).toBe(field);
  });

  it('about an item of a list says which in its text too', async () => {
    const error = new AppError('invalid_request', 'No such role.', { field: 'input.messages.2.role' });
    expect(await fieldOf('/v1/chat/completions', error)).toMatchObject({
      field: 'messages.2.role',
      text: expect.stringContaining(String.raw`\"messages.2.role\": No such role.`),
    });
    expect((await fieldOf('/generate', error)).field).toBe('prompt');
  });
});
