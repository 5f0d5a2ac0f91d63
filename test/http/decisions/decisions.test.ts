import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionRequest, DecisionResult } from '../../../src/core/decision.ts';
import { decideByOrder } from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

const last = () => harness.gateway.wholeCalls.at(-1)!.request as DecisionRequest;
const refusing = (request: DecisionRequest): DecisionResult => ({
  ...decideByOrder(request),
  decisions: request.questions.map((_, index) =>
    index === 0
      ? { type: 'refused', reason: 'nothing fell on them', labelMass: 0.01 }
      : decideByOrder(request).decisions[index]!,
  ),
});
const third = [4 / 7, 2 / 7, 1 / 7];

describe('POST /v1/systemone', () => {
  const post = (body: object) => harness.send('POST', '/v1/systemone', body);

  it('answers each question under its own name', async () => {
    const response = await post({
      model: 'tiny',
      state: 'The bill is wrong.',
      questions: {
        angry: { type: 'noul', instructions: 'Angry?', criteria: { true: 'shouts', false: 'is calm' } },
        topic: { type: 'choice', instructions: 'Topic?', criteria: { bill: 'money', sales: null, other: null } },
        bad: { type: 'score', instructions: 'How bad?', criteria: ['fine', 'bad', 'worst'] },
      },
    });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      model: 'tiny',
      answers: {
        angry: { type: 'noul', noul: expect.closeTo(2 / 3, 9), label_mass: 0.75 },
        topic: {
          type: 'choice',
          choice: 'bill',
          probabilities: { bill: third[0], sales: third[1], other: third[2] },
          confidence: expect.closeTo((4 / 7 - 1 / 3) / (2 / 3), 9),
          label_mass: 0.75,
        },
        bad: {
          type: 'score',
          score: expect.closeTo(2 / 7 + 2 / 7, 9),
          legend: { 0: 'fine', 1: 'bad', 2: 'worst' },
          probabilities: { 0: third[0], 1: third[1], 2: third[2] },
          confidence: expect.any(Number),
          label_mass: 0.75,
        },
      },
      usage: { input_tokens: 18 + 3, output_tokens: 0 },
    });
    expect(last()).toEqual({
      model: 'tiny',
      state: 'The bill is wrong.',
      questions: [
        { type: 'yes-no', text: 'Angry?', yes: 'shouts', no: 'is calm' },
        {
          type: 'choice',
          text: 'Topic?',
          options: [{ label: 'bill', description: 'money' }, { label: 'sales' }, { label: 'other' }],
        },
        { type: 'score', text: 'How bad?', levels: [{ label: 'fine' }, { label: 'bad' }, { label: 'worst' }] },
      ],
    });
    expect(response.headers['x-model-used']).toBe('tiny');
  });

  it.each([
    [{ mail: { from: 'a' } }, '{"mail":{"from":"a"}}'],
    [['one', { two: 2 }], '["one",{"two":2}]'],
  ])('reads the state %j as its JSON', async (state, text) => {
    await post({ state, questions: { a: { type: 'noul', instructions: 'x' } } });
    expect(last().state).toBe(text);
    expect(last().model).toBe('default');
  });

  it('leaves a question without an answer out, and says why', async () => {
    harness.gateway.playWhole({ decide: refusing });
    const questions = { one: { type: 'noul', instructions: 'x' }, two: { type: 'noul', instructions: 'y' } };
    const body = (await post({ state: 's', questions })).json();
    harness.gateway.playWhole({ decide: decideByOrder });
    expect(Object.keys(body.answers)).toEqual(['two']);
    expect(body.refusals).toEqual({ one: { reason: 'nothing fell on them', label_mass: 0.01 } });
  });

  it('hands the time to stay loaded on, and names what changes nothing', async () => {
    const response = await post({
      state: 's',
      questions: {
        a: { type: 'noul', instructions: 'x', weight: 2, criteria: { true: 'so', maybe: 'well' } },
        b: { type: 'score', instructions: 'x', criteria: ['low', 'high'], weight: null },
      },
      keep_alive: '10m',
      trace: 1,
    });
    expect(last().keepAliveMs).toBe(600_000);
    expect(response.headers['x-hearth-ignored']).toBe('trace, questions.a.weight, questions.a.criteria.maybe');
  });

  it.each<[string, object, string]>([
    ['no question', { questions: {} }, 'questions'],
    [
      'too many',
      {
        questions: Object.fromEntries(
          Array.from({ length: 65 }, (_, i) => [`q${i}`, { type: 'noul', instructions: 'x' }]),
        ),
      },
      'questions',
    ],
    ['an unknown type', { questions: { a: { type: 'guess', instructions: 'x' } } }, 'questions.a.type'],
    [
      'a choice of one',
      { questions: { a: { type: 'choice', instructions: 'x', criteria: { only: null } } } },
      'questions.a.criteria',
    ],
    [
      'a choice of 256',
      {
        questions: {
          a: {
            type: 'choice',
            instructions: 'x',
            criteria: Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`o${i}`, null])),
          },
        },
      },
      'questions.a.criteria',
    ],
    [
      'a score of one level',
      { questions: { a: { type: 'score', instructions: 'x', criteria: ['one'] } } },
      'questions.a.criteria',
    ],
    [
      'a score of eleven',
      {
        questions: { a: { type: 'score', instructions: 'x', criteria: Array.from({ length: 11 }, (_, i) => `l${i}`) } },
      },
      'questions.a.criteria',
    ],
    ['no instructions', { questions: { a: { type: 'noul' } } }, 'questions.a.instructions'],
    ['no state', { state: undefined, questions: { a: { type: 'noul', instructions: 'x' } } }, 'state'],
  ])('refuses %s by the name of the field', async (_what, changes, field) => {
    const before = harness.gateway.wholeCalls.length;
    const response = await post({ state: 's', ...changes });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { type: 'invalid_request_error', param: field } });
    expect(harness.gateway.wholeCalls).toHaveLength(before);
  });
});

describe('POST /v1/decisions', () => {
  const post = (body: object) => harness.send('POST', '/v1/decisions', body);
  const predicate = { type: 'predicate', instructions: 'It is red.' };

  it('answers in the order of the questions, by the official SDK', async () => {
    const client = new OpenAI({ baseURL: `${await harness.http.listen()}/v1`, apiKey: 'any', maxRetries: 0 });
    const answer = await client.decisions.create({
      model: 'tiny',
      input: 'The bill is wrong.',
      questions: [
        { type: 'predicate', instructions: 'The writer is angry.', name: 'angry' },
        {
          type: 'choice',
          instructions: 'Topic?',
          choices: [{ value: true }, { value: 'true', description: 'the word' }],
        },
        {
          type: 'score',
          instructions: 'How bad?',
          levels: [{ label: 'fine' }, { label: 'bad', description: 'very' }, { label: 'worst' }],
        },
      ],
    });
    expect(answer).toEqual({
      answers: [
        { type: 'predicate', name: 'angry', probability: expect.closeTo(2 / 3, 9), label_mass: 0.75 },
        {
          type: 'choice',
          name: null,
          choice: true,
          confidence: expect.closeTo(1 / 3, 9),
          probabilities: [
            { value: true, probability: expect.closeTo(2 / 3, 9) },
            { value: 'true', probability: expect.closeTo(1 / 3, 9) },
          ],
          label_mass: 0.75,
        },
        {
          type: 'score',
          name: null,
          score: expect.closeTo(4 / 7, 9),
          confidence: expect.any(Number),
          probabilities: ['fine', 'bad', 'worst'].map((label, value) => ({ label, value, probability: third[value] })),
          label_mass: 0.75,
        },
      ],
      model: 'tiny',
      usage: {
        input_tokens: 21,
        input_tokens_details: { cached_tokens: 2, cache_write_tokens: 0 },
        output_tokens: 0,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 21,
      },
    });
  });

  it('reads messages, calls and their outputs as one conversation', async () => {
    await post({
      input: [
        { role: 'developer', content: 'Be kind.' },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'Weather?' },
            { type: 'input_json', data: { city: 'Oslo' } },
          ],
        },
        { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{"city":"Oslo"}' },
        { type: 'function_call_output', call_id: 'c1', output: 'rain' },
        {
          role: 'assistant',
          content: [
            { type: 'output_text', text: 'It rains.' },
            { type: 'refusal', refusal: 'No more.' },
          ],
        },
      ],
      questions: [predicate],
    });
    expect(last().state).toBe(
      'developer: Be kind.\n\nuser: Weather?\n{"city":"Oslo"}\n\nassistant: calls weather: {"city":"Oslo"}\n\noutput of weather: rain\n\nassistant: It rains.\nNo more.',
    );
  });

  it('reads a single message as it stands', async () => {
    await post({ input: [{ role: 'user', content: 'Only this.' }], questions: [predicate] });
    expect(last().state).toBe('Only this.');
  });

  it('gives a refusal with its reason, in its place', async () => {
    harness.gateway.playWhole({ decide: refusing });
    const body = (await post({ input: 's', questions: [{ ...predicate, name: 'red' }, predicate] })).json();
    harness.gateway.playWhole({ decide: decideByOrder });
    expect(body.answers).toMatchObject([
      { type: 'refusal', name: 'red', reason: 'nothing fell on them', label_mass: 0.01 },
      { type: 'predicate', name: null },
    ]);
  });

  it('takes 128 questions, and names what changes nothing', async () => {
    const response = await post({
      input: 's',
      questions: Array.from({ length: 128 }, () => predicate),
      prompt_cache_key: 'k',
      prompt_cache_options: { mode: 'explicit' },
      safety_identifier: 'me',
    });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-hearth-ignored']).toBe('prompt_cache_key, prompt_cache_options, safety_identifier');
  });

  it('names what changes nothing in questions and in the input', async () => {
    const response = await post({
      input: [
        {
          role: 'user',
          content: [{ type: 'input_text', text: 's', prompt_cache_breakpoint: {} }],
          phase: 'commentary',
        },
      ],
      questions: [
        predicate,
        { type: 'choice', instructions: 'x', weight: 2, choices: [{ value: 'a', color: 'red' }, { value: 'b' }] },
      ],
    });
    expect(response.statusCode, response.body).toBe(200);
    expect(String(response.headers['x-hearth-ignored']).split(', ').sort()).toEqual([
      'input.content.prompt_cache_breakpoint',
      'input.phase',
      'questions.choices.color',
      'questions.weight',
    ]);
  });

  it.each<[string, object, string]>([
    ['no question', { questions: [] }, 'questions'],
    ['129', { questions: Array.from({ length: 129 }, () => predicate) }, 'questions'],
    ['a hundred thousand wrong ones', { questions: Array.from({ length: 100_000 }, () => 1) }, 'questions'],
    ['a text for a question', { questions: [predicate, 'x'] }, 'questions.1'],
    [
      'equal choices',
      { questions: [{ type: 'choice', instructions: 'x', choices: [{ value: 'a' }, { value: 'a' }] }] },
      'questions.0.choices.1',
    ],
    [
      'one choice',
      { questions: [{ type: 'choice', instructions: 'x', choices: [{ value: 'a' }] }] },
      'questions.0.choices',
    ],
    [
      '256 choices',
      {
        questions: [
          { type: 'choice', instructions: 'x', choices: Array.from({ length: 256 }, (_, i) => ({ value: `${i}` })) },
        ],
      },
      'questions.0.choices',
    ],
    [
      'eleven levels',
      {
        questions: [
          { type: 'score', instructions: 'x', levels: Array.from({ length: 11 }, (_, i) => ({ label: `${i}` })) },
        ],
      },
      'questions.0.levels',
    ],
    [
      'an output without a call',
      { input: [{ type: 'function_call_output', call_id: 'x', output: 'y' }], questions: [predicate] },
      'input.0.call_id',
    ],
    ['an empty input list', { input: [], questions: [predicate] }, 'input'],
    ['no input', { input: undefined, questions: [predicate] }, 'input'],
  ])('refuses %s by the name of the field', async (_what, changes, field) => {
    const response = await post({ input: 's', ...changes });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { param: field } });
  });

  it('refuses an image with the name of the model and its place', async () => {
    const image = { type: 'input_image', image_url: 'data:image/png;base64,AA==' };
    const response = await post({ model: 'tiny', input: [{ role: 'user', content: [image] }], questions: [predicate] });
    expect(response.json()).toMatchObject({
      error: { param: 'input.0.content.0', message: expect.stringContaining('"tiny" reads text only') },
    });
  });
});

describe.each(['/decide', '/api/v1/decide'])('POST %s', (url) => {
  const post = (body: object) => harness.send('POST', url, body);

  it('answers in the order of the questions', async () => {
    const response = await post({
      model: 'tiny',
      input: 'The bill is wrong.',
      questions: [
        { type: 'yes_no', question: 'Angry?', yes: 'shouts' },
        {
          type: 'choice',
          name: 'topic',
          question: 'Topic?',
          options: ['bill', { label: 'sales', description: 'buys' }],
        },
        { type: 'score', question: 'How bad?', levels: ['fine', 'bad', 'worst'] },
      ],
    });
    expect(response.json()).toEqual({
      answers: [
        {
          type: 'yes_no',
          name: null,
          probability: expect.closeTo(2 / 3, 9),
          confidence: expect.closeTo(1 / 3, 9),
          label_mass: 0.75,
        },
        {
          type: 'choice',
          name: 'topic',
          choice: 'bill',
          probabilities: [
            { label: 'bill', probability: expect.closeTo(2 / 3, 9) },
            { label: 'sales', probability: expect.closeTo(1 / 3, 9) },
          ],
          confidence: expect.closeTo(1 / 3, 9),
          label_mass: 0.75,
        },
        {
          type: 'score',
          name: null,
          score: expect.closeTo(4 / 7, 9),
          probabilities: ['fine', 'bad', 'worst'].map((label, index) => ({ label, probability: third[index] })),
          confidence: expect.any(Number),
          label_mass: 0.75,
        },
      ],
      usage: { prompt_tokens: 21, completion_tokens: 0, total_tokens: 21, cached_prompt_tokens: 2 },
      model: 'tiny',
      provider: 'local',
      request_id: expect.any(String),
    });
  });

  it.each<[object, string]>([
    [{ questions: [] }, 'questions'],
    [{ questions: Array.from({ length: 65 }, () => ({ type: 'yes_no', question: 'x' })) }, 'questions'],
    [{ questions: [{ type: 'yes_no', question: 'x', colour: 1 }] }, 'questions.0.colour'],
    [{ questions: [{ type: 'choice', question: 'x', options: ['a', { label: 'a' }] }] }, 'questions.0.options.1'],
    [{ questions: [{ type: 'score', question: 'x', levels: ['a'] }] }, 'questions.0.levels'],
    [{ questions: [{ type: 'yes_no', question: '' }] }, 'questions.0.question'],
    [{ questions: [{ type: 'yes_no', question: 'x' }], stream: true }, 'stream'],
  ])('refuses %j by the name of the field', async (changes, field) => {
    const response = await post({ input: 's', ...changes });
    expect(response.statusCode).toBe(400);
    const body = response.json();
    expect(url === '/decide' ? body.error.details.field : body.field).toBe(field);
  });
});

describe('decisions', () => {
  it.each(['/v1/decisions', '/decide'])('of %s name the input where it is too long', async (url) => {
    const { AppError } = await import('../../../src/core/errors.ts');
    harness.gateway.playWhole({
      decide() {
        throw new AppError('context_length_exceeded', 'too long', { field: 'state' });
      },
    });
    const question = url === '/decide' ? { type: 'yes_no', question: 'x' } : { type: 'predicate', instructions: 'x' };
    const response = await harness.send('POST', url, { input: 's', questions: [question] });
    harness.gateway.playWhole({ decide: decideByOrder });
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain('"input"');
  });
});
