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
/** Seeds that are tried until the answers are that certain. */
const mostSeeds = 100;

/**
 * Fills most of the context of 1,024 tokens: only then has a sliding layer forgotten the beginning. Every test has its
 * own seed, so that it finds nothing of the others in a slot and needs no freshly loaded model.
 */
const long = (seed: number) => letters(900, seed);
const longer = (seed: number) => [...long(seed), ...letters(20, 2)];
/** The first `length` letters of `long`, no more of it, and another end. */
const cutAt = (seed: number, length: number) => {
  const row = long(seed);
  return [...row.slice(0, length), row[length] === 'a' ? 'b' : 'a', ...letters(23, 1_000 + length)];
};
/** Three of these have the first 500 letters in common and nothing after them. */
const branchOf = (seed: number, letter: 'x' | 'y' | 'z') => [...long(seed).slice(0, 500), letter, ...letters(23, 7)];

/** A running state is not put aside at fewer tokens. */
const leastPutAsideTokens = 64;

/** Tokens at the start of `long` that a sliding layer no longer holds at its end, at least. */
const forgottenTokens = 140;

const manySlots = 4;

const slides = (architecture: TinyArchitecture) => architecture.startsWith('gemma');
const runs = (architecture: TinyArchitecture) => architecture === 'mamba';

let models: Awaited<ReturnType<typeof makeTinyModels>>;
let server: RunningServer;
/** Keeps the state of every prompt that comes twice on the disk, and answers what the others are compared with. */
let keeping: RunningServer;
beforeAll(async () => {
  models = await makeTinyModels();
  server = await startServer({ models: models.folder, env: { HEARTH_PARALLEL: String(manySlots) } });
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
  let lastSeed = 0;
  /** Of the model as it is loaded; 0: it may be unloaded. */
  let slots = 0;
  const unload = async (baseUrl = server.baseUrl) => {
    expect((await postJson(`${baseUrl}/models/${model}/unload`, {})).status).toBe(200);
    if (baseUrl === server.baseUrl) slots = 0;
  };
  const loadWith = async (parallel: number) => {
    if (slots === parallel) return;
    await unload();
    expect((await postJson(`${server.baseUrl}/models/${model}/load`, { parallel })).status).toBe(200);
    slots = parallel;
  };
  const answer = (row: readonly string[], maxTokens = answerTokens, baseUrl = server.baseUrl) =>
    complete(baseUrl, { model, prompt: promptOf(row), max_tokens: maxTokens });
  /** What another process with one slot answers that keeps nothing of it, with log probabilities; asked once per prompt. */
  const coldAnswer = async (row: readonly string[]): Promise<TinyAnswer> => {
    const prompt = promptOf(row);
    const known = cold.get(prompt);
    if (known) return known;
    const request = { model, prompt, max_tokens: answerTokens, logprobs: 2, cache_prompt: false } as const;
    const fresh = await complete(keeping.baseUrl, request);
    expect(fresh).toMatchObject({ cachedTokens: 0, completionTokens: answerTokens, finishReason: 'length' });
    cold.set(prompt, fresh);
    return fresh;
  };
  /** A seed that no other test has, with which so much of the answer to each of these rows is certain. */
  const seedFor = async (rowsOf: (seed: number) => (readonly string[])[]): Promise<number> => {
    const isCertain = async (row: readonly string[]) =>
      certainText(await coldAnswer(row)).length >= leastCertainCharacters;
    for (let tries = 0; tries < mostSeeds; tries++) {
      const seed = ++lastSeed;
      let certain = true;
      for (const row of rowsOf(seed)) certain &&= await isCertain(row);
      if (certain) return seed;
    }
    throw new Error(`every answer of ${mostSeeds} seeds is a close call`);
  };
  /** Text for text, as far as no rounding decided. */
  const expectSame = (warm: TinyAnswer, reference: TinyAnswer) => {
    const certain = certainText(reference);
    expect(warm.text.slice(0, certain.length)).toBe(certain);
    expect(warm.completionTokens).toBe(reference.completionTokens);
    expect(warm.promptTokens).toBe(reference.promptTokens);
  };
  /** Tokens of a row of letters: one each, and what the tokenizer puts in front. */
  const tokensOf = async (row: readonly string[]) => row.length + ((await coldAnswer(long(1))).promptTokens - 900);

  afterAll(async () => {
    await unload();
    await unload(keeping.baseUrl);
  });

  it('is listed with its architecture, loads, and its process ends with the unload', async () => {
    const show = async () => (await (await fetch(`${server.baseUrl}/models/${model}`)).json()) as object;
    expect(await show()).toMatchObject({ architecture, state: 'unloaded', reason: null });
    await loadWith(1);
    expect(await show()).toMatchObject({ architecture, state: 'loaded', context_length_loaded: 1024 });
    const before = workerPids(server.pid);
    expect(before).toHaveLength(1);
    await unload();
    await eventually(async () => workerPids(server.pid).length === 0);
    expect(await show()).toMatchObject({ state: 'unloaded' });
  });

  it('shares one prefill between two requests in flight, and each gets its own answer', async () => {
    // Where a state cannot be cut, the second has to be there before the first is past the shared part. Two processes lie
    // between here and there, so it is longer than the first portion of a prompt, 512 tokens; the loop's own tests have
    // short ones.
    const length = slides(architecture) || runs(architecture) ? 890 : 500;
    const seed = await seedFor((of) => [cutAt(of, length), longer(of)]);
    const rows = [cutAt(seed, length), longer(seed)];
    const references = [await coldAnswer(rows[0]!), await coldAnswer(rows[1]!)];
    const series = `hearth_prompt_tokens_evaluated_total{model="${model}"}`;
    // Both wait for the load, so that neither is ahead of the other.
    await unload();
    const before = await metric(server.baseUrl, series);
    const warm = await Promise.all(rows.map((row) => answer(row)));
    slots = manySlots;
    const evaluated = (await metric(server.baseUrl, series)) - before;
    for (const [index, reference] of references.entries()) expectSame(warm[index]!, reference);
    const shared = await tokensOf(long(seed).slice(0, length));
    expect(warm.map(({ cachedTokens }) => cachedTokens).sort((a, b) => a - b)).toEqual([0, shared]);
    expect(evaluated).toBe(references.reduce((sum, { promptTokens }) => sum + promptTokens, 0) - shared);
  });

  it('answers four requests at once as it answers each alone', async () => {
    const rowsOf = (seed: number) => [letters(30, 30 + seed), letters(300, 300 + seed), long(seed), longer(seed)];
    const rows = rowsOf(await seedFor(rowsOf));
    const alone: TinyAnswer[] = [];
    for (const row of rows) alone.push(await coldAnswer(row));
    await loadWith(manySlots);
    const together = await Promise.all(rows.map((row) => answer(row)));
    for (const [index, warm] of together.entries()) expectSame(warm, alone[index]!);
    // Otherwise the comparison would say little.
    expect(new Set(alone.map(certainText)).size).toBe(rows.length);
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

  // 1. Cut far before the window of the end; the cut's own window is still held. 2. Within the window of the end.
  // 3. Held itself, but not all of its window. 4. Not held at all.
  it.each(slides(architecture) || runs(architecture) ? [500, 890, 160, 60] : [500])(
    'goes on rightly in the same slot after the first %i of 900 tokens',
    async (length) => {
      const seed = await seedFor((of) => [long(of), cutAt(of, length)]);
      const [begun, row] = [long(seed), cutAt(seed, length)];
      const [whole, part] = [await coldAnswer(begun), await coldAnswer(row)];
      await loadWith(1);
      expectSame(await answer(begun), whole);
      const warm = await answer(row);
      expectSame(warm, part);
      const shared = await tokensOf(begun.slice(0, length));
      const isForgotten = slides(architecture) && length < forgottenTokens + windowTokens;
      // A running state cannot be cut where it was not put aside.
      expect(warm.cachedTokens).toBe(isForgotten || runs(architecture) ? 0 : shared);
      // Where the two part it was: there and back again, nothing of the shared part is computed. (A beginning that is
      // read faster than it is put aside is not.)
      const isPutAside = shared >= leastPutAsideTokens || !(isForgotten || runs(architecture));
      for (const [again, reference] of [
        [begun, whole],
        [row, part],
        [begun, whole],
      ] as const) {
        const next = await answer(again);
        expectSame(next, reference);
        if (isPutAside) expect(next.cachedTokens).toBe(shared);
      }
    },
  );

  it('computes one token of a prompt that comes again, and no more when only the answer was another', async () => {
    const seed = await seedFor((of) => [long(of), longer(of)]);
    const [first, next] = [await coldAnswer(long(seed)), await coldAnswer(longer(seed))];
    await loadWith(1);
    expectSame(await answer(long(seed)), first);
    const again = await answer(long(seed));
    expectSame(again, first);
    expect(again.cachedTokens).toBe(first.promptTokens - 1);
    const another = await answer(longer(seed));
    expectSame(another, next);
    expect(another.cachedTokens).toBe(first.promptTokens - (runs(architecture) ? 1 : 0));
  });

  it('goes on rightly where the state ends, without computing any of it again', async () => {
    const seed = await seedFor((of) => [longer(of)]);
    const reference = await coldAnswer(longer(seed));
    await loadWith(1);
    // One token is sampled and never evaluated: the state ends with the prompt.
    await answer(long(seed), 1);
    const warm = await answer(longer(seed));
    expectSame(warm, reference);
    expect(warm.cachedTokens).toBe(await tokensOf(long(seed)));
  });

  it('fills its context and ends there', async () => {
    await loadWith(1);
    const { finishReason, promptTokens, completionTokens } = await answer(letters(980, 4), 4_000);
    expect(finishReason).toBe('length');
    expect(promptTokens + completionTokens).toBe(1_024);
  });

  describe('after an unload', () => {
    const warm = (row: readonly string[], maxTokens = answerTokens) => answer(row, maxTokens, keeping.baseUrl);
    let seeds: { whole: number; cut: number; branch: number };
    beforeAll(async () => {
      seeds = {
        whole: await seedFor((of) => [longer(of)]),
        cut: await seedFor((of) => [cutAt(of, 500)]),
        branch: await seedFor((of) => [branchOf(of, 'z')]),
      };
      const twice = [long(seeds.whole), long(seeds.cut)];
      for (const row of [...twice, ...twice, branchOf(seeds.branch, 'x'), branchOf(seeds.branch, 'y')]) {
        await warm(row, 1);
      }
      await unload(keeping.baseUrl);
    });

    it('takes a prefix that was seen twice from the disk', async () => {
      const after = await warm(longer(seeds.whole));
      expectSame(after, await coldAnswer(longer(seeds.whole)));
      expect(after.cachedTokens).toBe(await tokensOf(long(seeds.whole)));
    });

    it('takes as much of it as the prompt shares', async () => {
      const row = cutAt(seeds.cut, 500);
      const after = await warm(row);
      expectSame(after, await coldAnswer(row));
      // A file holds no more than a sliding layer still has, so it cannot be cut either.
      const isWhole = slides(architecture) || runs(architecture);
      expect(after.cachedTokens).toBe(isWhole ? 0 : await tokensOf(long(seeds.cut).slice(0, 500)));
    });

    it('takes the beginning that two prompts had in common from the disk', async () => {
      const row = branchOf(seeds.branch, 'z');
      const after = await warm(row);
      expectSame(after, await coldAnswer(row));
      expect(after.cachedTokens).toBe(await tokensOf(long(seeds.branch).slice(0, 500)));
    });
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
