import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TinyArchitecture, textArchitectures, windowTokens } from '../../scripts/tiny-models/models.ts';
import { ask, eventually, metric, openStream, postJson, workerPids } from '../support/client.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { certainText, complete, letters, makeTinyModels, promptOf, type TinyAnswer } from '../support/tiny-models.ts';

interface ToolCallReply {
  id: string;
  function: { name: string; arguments: string };
}
interface ChatReply {
  choices: { message: { tool_calls?: ToolCallReply[] } }[];
  usage: { prompt_tokens: number };
}
interface ChatChunk {
  choices: { delta: { tool_calls?: { index: number; function: { name?: string; arguments?: string } }[] } }[];
}

/** Every answer of a comparison has this many tokens, and rounding cannot change so much of it. */
const answerTokens = 24;
const leastCertainCharacters = 12;

/** Fills most of the context of 1,024 tokens: only then has a sliding layer forgotten the beginning. */
const long = letters(900, 1);
const longer = [...long, ...letters(20, 2)];
/** The same beginning, and another end. */
const cutAt = (length: number) => [...long.slice(0, length), ...letters(24, 1_000 + length)];

/** A running state is not put aside at fewer tokens. */
const leastPutAsideTokens = 64;

/** Tokens at the start of `long` that a sliding layer no longer holds at its end, at least. */
const forgottenTokens = 140;

const slides = (architecture: TinyArchitecture) => architecture.startsWith('gemma');
const runs = (architecture: TinyArchitecture) => architecture === 'mamba';

let models: Awaited<ReturnType<typeof makeTinyModels>>;
let server: RunningServer;
/** Keeps the state of every prompt that comes twice on the disk. */
let keeping: RunningServer;
beforeAll(async () => {
  models = await makeTinyModels();
  server = await startServer({ models: models.folder, env: { HEARTH_PARALLEL: '2' } });
  keeping = await startServer({
    models: models.folder,
    env: { HEARTH_PARALLEL: '1', HEARTH_PREFIX_VAULT_MIN: '1ms' },
  });
});
afterAll(async () => {
  await server?.stop();
  await keeping?.stop();
  await models?.remove();
});

describe.each(textArchitectures)('a tiny %s', (architecture) => {
  const model = `tiny-${architecture}`;
  const cold = new Map<string, TinyAnswer>();
  let slots = 0;
  const unload = async () => {
    expect((await postJson(`${server.baseUrl}/models/${model}/unload`, {})).status).toBe(200);
  };
  const reload = async (parallel: number) => {
    await unload();
    expect((await postJson(`${server.baseUrl}/models/${model}/load`, { parallel })).status).toBe(200);
    slots = parallel;
  };
  /** One slot, whatever it holds: a test that begins with a long prompt of its own needs no fresh model. */
  const oneSlot = async () => {
    if (slots !== 1) await reload(1);
  };
  const answer = (row: readonly string[], maxTokens = answerTokens, baseUrl = server.baseUrl) =>
    complete(baseUrl, { model, prompt: promptOf(row), max_tokens: maxTokens });
  /** What a freshly loaded model with one slot answers, with log probabilities; asked once per prompt. */
  const coldAnswer = async (row: readonly string[]): Promise<TinyAnswer> => {
    const prompt = promptOf(row);
    const known = cold.get(prompt);
    if (known) return known;
    await reload(1);
    const fresh = await complete(server.baseUrl, { model, prompt, max_tokens: answerTokens, logprobs: 2 });
    expect(fresh).toMatchObject({ cachedTokens: 0, completionTokens: answerTokens, finishReason: 'length' });
    expect(certainText(fresh).length).toBeGreaterThanOrEqual(leastCertainCharacters);
    cold.set(prompt, fresh);
    return fresh;
  };
  /** Text for text, as far as no rounding decided. */
  const expectSame = (warm: TinyAnswer, reference: TinyAnswer) => {
    const certain = certainText(reference);
    expect(warm.text.slice(0, certain.length)).toBe(certain);
    expect(warm.completionTokens).toBe(reference.completionTokens);
    expect(warm.promptTokens).toBe(reference.promptTokens);
  };
  /** Tokens of a row of letters: one each, and what the tokenizer puts in front. */
  const tokensOf = async (row: readonly string[]) => row.length + ((await coldAnswer(long)).promptTokens - long.length);

  afterAll(unload);

  it('is listed with its architecture, loads, and its process ends with the unload', async () => {
    const show = async () => (await (await fetch(`${server.baseUrl}/models/${model}`)).json()) as object;
    expect(await show()).toMatchObject({ architecture, state: 'unloaded', reason: null });
    await reload(1);
    expect(await show()).toMatchObject({ architecture, state: 'loaded', context_length_loaded: 1024 });
    const before = workerPids(server.pid);
    expect(before).toHaveLength(1);
    await unload();
    slots = 0;
    await eventually(async () => workerPids(server.pid).length === 0);
    expect(await show()).toMatchObject({ state: 'unloaded' });
  });

  it('chats by its template', async () => {
    const first = await postJson(`${server.baseUrl}/v1/chat/completions`, {
      model,
      messages: [{ role: 'user', content: 'a b c' }],
      temperature: 0,
      max_tokens: 8,
    });
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      choices: [{ finish_reason: 'length', message: { content: expect.stringMatching(/^[ a-z]{8,16}$/) } }],
      usage: { completion_tokens: 8 },
    });
  });

  describe('with tools', () => {
    const look = {
      name: 'look',
      description: 'Looks',
      parameters: {
        type: 'object',
        properties: { at: { enum: ['sky', 'sea'] }, far: { type: 'boolean' } },
        required: ['at', 'far'],
        additionalProperties: false,
      },
    };
    const stop = { name: 'stop', parameters: { type: 'object', properties: {}, additionalProperties: false } };
    const tools = [look, stop].map((definition) => ({ type: 'function', function: definition }));
    const user = { role: 'user', content: 'a b c' };
    const chat = async (extra: object) => {
      const body = { model, messages: [user], temperature: 0, max_tokens: 160, ...extra };
      const reply = await postJson(`${server.baseUrl}/v1/chat/completions`, body);
      expect(reply.status).toBe(200);
      return reply.body as ChatReply;
    };
    const expectCall = (call: ToolCallReply | undefined) => {
      expect(call?.id).toMatch(/^call_/);
      const given = JSON.parse(call!.function.arguments) as object;
      if (call!.function.name === 'stop') expect(given).toEqual({});
      else {
        expect(call!.function.name).toBe('look');
        expect(given).toEqual({ at: expect.stringMatching(/^(sky|sea)$/), far: expect.any(Boolean) });
      }
    };

    it('writes a call that keeps to the schema when one is required, in the form of its family', async () => {
      const { choices } = await chat({ tools, tool_choice: 'required' });
      expectCall(choices[0]!.message.tool_calls?.[0]);
    });

    it('calls the tool that is named', async () => {
      const { choices } = await chat({ tools, tool_choice: { type: 'function', function: { name: 'look' } } });
      const call = choices[0]!.message.tool_calls?.[0];
      expectCall(call);
      expect(call?.function.name).toBe('look');
    });

    it('streams the same call as it gives whole', async () => {
      const request = { tools, tool_choice: { type: 'function', function: { name: 'look' } } };
      const whole = (await chat(request)).choices[0]!.message.tool_calls![0]!;
      const stream = openStream(`${server.baseUrl}/v1/chat/completions`, {
        model,
        messages: [user],
        temperature: 0,
        max_tokens: 160,
        stream: true,
        ...request,
      });
      const calls = (await stream.rest())
        .filter((record) => record !== '[DONE]')
        .flatMap((record) => (JSON.parse(record) as ChatChunk).choices[0]?.delta.tool_calls ?? [])
        .filter(({ index }) => index === 0);
      expect(calls[0]?.function.name).toBe('look');
      expect(calls.map((delta) => delta.function.arguments ?? '').join('')).toBe(whole.function.arguments);
    });

    it('reads tools, calls and results into its prompt', async () => {
      const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"sea"}' } };
      const answered = [
        user,
        { role: 'assistant', tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: 'e f g' },
      ];
      const promptTokens = async (extra: object) => (await chat({ max_tokens: 1, ...extra })).usage.prompt_tokens;
      const plain = await promptTokens({});
      const withTools = await promptTokens({ tools });
      expect(withTools).toBeGreaterThan(plain + 50);
      expect(await promptTokens({ tools, messages: answered })).toBeGreaterThan(withTools + 15);
      expect(await promptTokens({ tools, tool_choice: 'none' })).toBe(plain);
    });
  });

  it('answers four requests at once as it answers each alone', async () => {
    const rows = [letters(30, 30), letters(300, 300), long, longer];
    const alone: TinyAnswer[] = [];
    for (const row of rows) alone.push(await coldAnswer(row));
    await reload(4);
    const together = await Promise.all(rows.map((row) => answer(row)));
    for (const [index, warm] of together.entries()) expectSame(warm, alone[index]!);
    // Otherwise the comparison would say little.
    expect(new Set(alone.map(certainText)).size).toBe(rows.length);
  });

  // 1. Cut far before the window of the end; the cut's own window is still held. 2. Within the window of the end.
  // 3. Held itself, but not all of its window. 4. Not held at all.
  it.each(slides(architecture) || runs(architecture) ? [500, 890, 160, 60] : [500])(
    'goes on rightly in the same slot after the first %i of 900 tokens',
    async (length) => {
      const row = cutAt(length);
      const [whole, part] = [await coldAnswer(long), await coldAnswer(row)];
      // Nothing may be put aside from other tests.
      await reload(1);
      expectSame(await answer(long), whole);
      const warm = await answer(row);
      expectSame(warm, part);
      const shared = await tokensOf(long.slice(0, length));
      const isForgotten = slides(architecture) && length < forgottenTokens + windowTokens;
      // A running state cannot be cut where it was not put aside.
      expect(warm.cachedTokens).toBe(isForgotten || runs(architecture) ? 0 : shared);
      // Where the two part it was: there and back again, nothing of the shared part is computed. (A beginning that is
      // read faster than it is put aside is not.)
      const isPutAside = shared >= leastPutAsideTokens || !(isForgotten || runs(architecture));
      for (const [again, reference] of [
        [long, whole],
        [row, part],
        [long, whole],
      ] as const) {
        const next = await answer(again);
        expectSame(next, reference);
        if (isPutAside) expect(next.cachedTokens).toBe(shared);
      }
    },
  );

  it('computes one token of a prompt that comes again, and no more when only the answer was another', async () => {
    const [first, next] = [await coldAnswer(long), await coldAnswer(longer)];
    await reload(1);
    expectSame(await answer(long), first);
    const again = await answer(long);
    expectSame(again, first);
    expect(again.cachedTokens).toBe(first.promptTokens - 1);
    const another = await answer(longer);
    expectSame(another, next);
    expect(another.cachedTokens).toBe(first.promptTokens - (runs(architecture) ? 1 : 0));
  });

  it('goes on rightly where the state ends, without computing any of it again', async () => {
    const reference = await coldAnswer(longer);
    await oneSlot();
    // One token is sampled and never evaluated: the state ends with the prompt.
    await answer(long, 1);
    const warm = await answer(longer);
    expectSame(warm, reference);
    expect(warm.cachedTokens).toBe(await tokensOf(long));
  });

  it('shares one prefill between two requests in flight, and each gets its own answer', async () => {
    // Where a state cannot be cut, the second has to be there before the first is past the shared part. Two processes lie
    // between here and there, so it is longer than the first portion of a prompt, 512 tokens; the loop's own tests have
    // short ones.
    const length = slides(architecture) || runs(architecture) ? 890 : 500;
    const rows = [cutAt(length), longer];
    const references = [await coldAnswer(rows[0]!), await coldAnswer(rows[1]!)];
    const series = `hearth_prompt_tokens_evaluated_total{model="${model}"}`;
    // Both wait for the load, so that neither is ahead of the other.
    await unload();
    slots = 0;
    const before = await metric(server.baseUrl, series);
    const warm = await Promise.all(rows.map((row) => answer(row)));
    const evaluated = (await metric(server.baseUrl, series)) - before;
    for (const [index, reference] of references.entries()) expectSame(warm[index]!, reference);
    const shared = await tokensOf(long.slice(0, length));
    expect(warm.map(({ cachedTokens }) => cachedTokens).sort((a, b) => a - b)).toEqual([0, shared]);
    expect(evaluated).toBe(references.reduce((sum, { promptTokens }) => sum + promptTokens, 0) - shared);
  });

  it('fills its context and ends there', async () => {
    await oneSlot();
    const { finishReason, promptTokens, completionTokens } = await answer(letters(980, 4), 4_000);
    expect(finishReason).toBe('length');
    expect(promptTokens + completionTokens).toBe(1_024);
  });

  it('takes a prefix that was seen twice from the disk after an unload', async () => {
    const rows = [longer, cutAt(500)] as const;
    const references = [await coldAnswer(rows[0]), await coldAnswer(rows[1])] as const;
    const reloaded = async (row: readonly string[]) => {
      await postJson(`${keeping.baseUrl}/models/${model}/unload`, {});
      return await answer(row, answerTokens, keeping.baseUrl);
    };
    for (const row of [long, letters(100, 100), long]) await answer(row, 1, keeping.baseUrl);
    const [after, cut] = [await reloaded(rows[0]), await reloaded(rows[1])];
    expectSame(after, references[0]);
    expect(after.cachedTokens).toBe(await tokensOf(long));
    expectSame(cut, references[1]);
    // A file holds no more than a sliding layer still has, so it cannot be cut either.
    const isWhole = slides(architecture) || runs(architecture);
    expect(cut.cachedTokens).toBe(isWhole ? 0 : await tokensOf(long.slice(0, 500)));
  });

  it('takes the beginning that two prompts had in common from the disk after an unload', async () => {
    const [first, second, third] = [7, 8, 9].map((start) => [...long.slice(0, 500), ...letters(24, start)]);
    const reference = await coldAnswer(third!);
    for (const row of [first!, second!]) await answer(row, 1, keeping.baseUrl);
    await postJson(`${keeping.baseUrl}/models/${model}/unload`, {});
    const after = await answer(third!, answerTokens, keeping.baseUrl);
    expectSame(after, reference);
    expect(after.cachedTokens).toBe(await tokensOf(long.slice(0, 500)));
    await postJson(`${keeping.baseUrl}/models/${model}/unload`, {});
  });
});

describe('a tiny bert', () => {
  it('gives vectors of length 1 that depend on the text, and does not chat', async () => {
    const { status, body } = await postJson(`${server.baseUrl}/v1/embeddings`, {
      model: 'tiny-bert',
      input: ['ab cd ef', 'ab cd eg', 'ab cd ef'],
      encoding_format: 'float',
    });
    expect(status).toBe(200);
    const vectors = (body as { data: { embedding: number[] }[] }).data.map(({ embedding }) => embedding);
    for (const vector of vectors) {
      expect(vector).toHaveLength(64);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
    const cosine = (left: number[], right: number[]) => left.reduce((sum, value, at) => sum + value * right[at]!, 0);
    expect(cosine(vectors[0]!, vectors[2]!)).toBeCloseTo(1, 5);
    expect(cosine(vectors[0]!, vectors[1]!)).toBeLessThan(0.999);
    await expect(ask(server.baseUrl, 'Hi', 'tiny-bert')).rejects.toThrow('only makes embeddings');
  });
});
