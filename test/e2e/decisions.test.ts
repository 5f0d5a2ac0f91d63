import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textArchitectures } from '../../scripts/tiny-models/models.ts';
import { metric, postJson } from '../support/client.ts';
import { builtInModel, realModels } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { letters, makeTinyModels, promptOf } from '../support/tiny-models.ts';

interface Answer {
  type: string;
  probability?: number;
  probabilities?: { label: string; probability: number }[];
  label_mass: number;
}
interface Decided {
  answers: Answer[];
  usage: { prompt_tokens: number; cached_prompt_tokens: number; completion_tokens: number };
}

const mail = `${'The parcel was sent on Monday and the driver left it at the door of the neighbour. '.repeat(8)}I am very unhappy with this and want my money back.`;
const questions = [
  { type: 'yes_no', question: 'Is the writer unhappy?' },
  { type: 'choice', question: 'What is it about?', options: ['weather', 'money', 'music'] },
  { type: 'score', question: 'How urgent is it?', levels: ['low', 'medium', 'high'] },
];

const numbersOf = ({ answers }: Decided) =>
  answers.flatMap(({ label_mass, probability, probabilities }) => [
    label_mass,
    ...(probability === undefined ? [] : [probability]),
    ...(probabilities ?? []).map((option) => option.probability),
  ]);

const furthest = (one: number[], other: number[]) => {
  expect(one).toHaveLength(other.length);
  return Math.max(...one.map((value, index) => Math.abs(value - other[index]!)));
};

describe('decisions of the built-in model', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ env: { HEARTH_PARALLEL: '8' } });
  });
  afterAll(async () => {
    await server?.stop();
  });

  const decide = async (input: string, asked: object[] = questions) => {
    const { status, body } = await postJson(`${server.baseUrl}/decide`, {
      model: builtInModel,
      input,
      questions: asked,
    });
    expect(status, JSON.stringify(body)).toBe(200);
    return body as Decided;
  };

  it('are numbers between 0 and 1, 1 in sum, and generate nothing', async () => {
    const decided = await decide(mail);
    expect(decided.answers).toHaveLength(3);
    expect(decided.usage.completion_tokens).toBe(0);
    for (const answer of decided.answers) {
      expect(answer.label_mass).toBeGreaterThan(0);
      expect(answer.label_mass).toBeLessThanOrEqual(1);
      if (answer.type === 'refused') expect(answer.label_mass).toBeLessThan(0.1);
      if (answer.probabilities === undefined) continue;
      const sum = answer.probabilities.reduce((total, { probability }) => total + probability, 0);
      expect(Math.abs(sum - 1)).toBeLessThan(1e-6);
    }
    expect(await metric(server.baseUrl, `hearth_generated_tokens_total{model="${builtInModel}"}`)).toBe(0);
  });

  it('come out the same alone, from a cache, and beside seven others', async () => {
    const alone = numbersOf(await decide(mail));
    const again = await decide(mail);
    expect(again.usage.cached_prompt_tokens).toBeGreaterThan(100);
    expect(furthest(numbersOf(again), alone)).toBeLessThanOrEqual(1e-4);
    // Other texts in between, so that what is beside it is read too.
    const chats = Array.from({ length: 7 }, (_, index) =>
      postJson(`${server.baseUrl}/generate`, {
        prompt: `Number ${index}: ${'tell me about the house and the garden. '.repeat(4 + 3 * index)}`,
        max_tokens: 40,
        ignore_eos: true,
        seed: index,
      }),
    );
    const beside = await decide(mail);
    const fresh = await decide(`${mail} `);
    await Promise.all(chats);
    expect(furthest(numbersOf(beside), alone)).toBeLessThanOrEqual(1e-4);
    expect(furthest(numbersOf(fresh), numbersOf(await decide(`${mail} `)))).toBeLessThanOrEqual(1e-4);
  });

  it('of one question do not hang on the questions beside it', async () => {
    const [first] = questions;
    const alone = await decide(mail, [first!]);
    const among = await decide(mail, [questions[2]!, first!]);
    expect(furthest(numbersOf({ ...among, answers: [among.answers[1]!] }), numbersOf(alone))).toBeLessThanOrEqual(1e-4);
  });

  it('read a text once for many questions, and again for none of them', async () => {
    const text = `${mail} This is another mail.`;
    const before = await metric(server.baseUrl, `hearth_prompt_tokens_evaluated_total{model="${builtInModel}"}`);
    const { usage } = await decide(
      text,
      Array.from({ length: 10 }, () => questions[0]!),
    );
    const read =
      (await metric(server.baseUrl, `hearth_prompt_tokens_evaluated_total{model="${builtInModel}"}`)) - before;
    expect(read).toBeLessThanOrEqual(usage.prompt_tokens);
    expect((await decide(text)).usage.cached_prompt_tokens).toBeGreaterThan(100);
  });

  it('are counted', async () => {
    const count = async () =>
      (await metric(server.baseUrl, `hearth_decisions_total{model="${builtInModel}",result="decided"}`)) +
      (await metric(server.baseUrl, `hearth_decisions_total{model="${builtInModel}",result="refused"}`));
    const before = await count();
    await decide(mail);
    expect((await count()) - before).toBe(3);
  });

  it('refuse an input that does not fit, with both numbers', async () => {
    const body = { model: builtInModel, input: 'word '.repeat(20_000), questions };
    const { status, body: answer } = await postJson(`${server.baseUrl}/decide`, body);
    expect(status).toBe(400);
    expect(answer).toMatchObject({ error: { code: 'CONTEXT_LENGTH_EXCEEDED', details: { field: 'input' } } });
  });
});

describe('decisions of models whose states cannot be cut, or slide', () => {
  let models: Awaited<ReturnType<typeof makeTinyModels>>;
  let server: RunningServer;
  beforeAll(async () => {
    models = await makeTinyModels();
    server = await startServer({ models: models.folder, env: { HEARTH_PARALLEL: '2' } });
  });
  afterAll(async () => {
    await server?.stop();
    await models?.remove();
  });

  it.each(textArchitectures)('of a tiny %s are the same from a cache as from nothing', async (architecture) => {
    const decide = async (input: string) => {
      const body = { model: `tiny-${architecture}`, input, questions: [{ type: 'yes_no', question: 'x y z' }] };
      const answer = await postJson(`${server.baseUrl}/decide`, body);
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      return answer.body as Decided;
    };
    const [text, other] = [promptOf(letters(400, 1)), promptOf(letters(350, 2))];
    const first = await decide(text);
    const again = await decide(text);
    expect(again.usage.cached_prompt_tokens).toBeGreaterThan(400);
    expect(furthest(numbersOf(again), numbersOf(first))).toBeLessThanOrEqual(1e-4);
    for (const filler of [other, `${other} a`, `b ${other}`]) await decide(filler);
    expect(furthest(numbersOf(await decide(text)), numbersOf(first))).toBeLessThanOrEqual(1e-4);
  });
});

const real = realModels();
const why = 'skip' in real ? ` (skipped: ${real.skip})` : '';

describe.skipIf('skip' in real)(`decisions of SmolLM2-135M${why}`, () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ models: 'skip' in real ? '' : real.folder });
  });
  afterAll(async () => {
    await server?.stop();
  });
  const model = 'smollm2-135m-instruct';
  const mood = (input: string, options = ['positive', 'negative']) =>
    postJson(`${server.baseUrl}/decide`, {
      model,
      input,
      questions: [{ type: 'choice', question: 'What is the mood of the writer?', options }],
    }).then(({ body }) => (body as Decided).answers[0]!);

  it('tell a glad text from an angry one, and say how well they were understood', async () => {
    const glad = await mood('I love it, thank you so much, everything works wonderfully now!');
    const angry = await mood('The server is down and we lose money every minute. This is terrible.');
    const ofPositive = ({ probabilities }: Answer) =>
      probabilities!.find(({ label }) => label === 'positive')!.probability;
    expect(ofPositive(glad)).toBeGreaterThan(ofPositive(angry));
    expect(glad.label_mass).toBeGreaterThan(0.1);
  });

  it('do not move when two options change places', async () => {
    const text = 'The refund has not arrived on my bank account.';
    const one = await mood(text);
    const other = await mood(text, ['negative', 'positive']);
    for (const { label, probability } of one.probabilities!) {
      expect(other.probabilities!.find((option) => option.label === label)!.probability).toBeCloseTo(probability, 4);
    }
  });

  it('are none of a model that only makes embeddings, which says so', async () => {
    const { status, body } = await postJson(`${server.baseUrl}/v1/decisions`, {
      model: 'all-minilm-l6-v2',
      input: 'x',
      questions: [{ type: 'predicate', instructions: 'x' }],
    });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: {
        param: 'model',
        message: expect.stringContaining('cannot give decisions: this model only makes embeddings'),
      },
    });
  });
});
