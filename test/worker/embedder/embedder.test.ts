import { describe, expect, it } from 'vitest';
import { unpackVector } from '../../../src/core/embedding.ts';
import { AppError } from '../../../src/core/errors.ts';
import type { WorkerAnswer } from '../../../src/ipc/protocol.ts';
import { createEmbedder, type TextModel } from '../../../src/worker/embedder/embedder.ts';
import { settle } from '../../support/fake-worker.ts';

/** Reads one token per letter with a frame of two; a text's vector is its length and 1. Texts wait for `release`. */
function setup(options: { isHeld?: boolean; vector?: number[]; isMatryoshka?: boolean } = {}) {
  const computed: string[] = [];
  const held: (() => void)[] = [];
  const lines: string[] = [];
  const hold = (name: string) => {
    computed.push(name);
    return options.isHeld ? new Promise<void>((resolve) => held.push(resolve)) : Promise.resolve();
  };
  const model: TextModel = {
    contextTokens: 8,
    vocabularySize: 200,
    isMatryoshka: options.isMatryoshka ?? false,
    tokenize: (text) => [...text].map((letter) => letter.charCodeAt(0)),
    framedLength: (tokens) => tokens.length + (tokens[0] === 1 ? 0 : 2),
    async vectorOf(tokens) {
      await hold(String.fromCharCode(...tokens));
      return options.vector ?? [tokens.length, 1];
    },
    pairLength: (query, document) => query.length + document.length + 3,
    async scoreOf(query, document) {
      await hold(`${query}|${document}`);
      return document.length / 10;
    },
  };
  const embedder = createEmbedder({ name: 'm', model, log: (line) => lines.push(line) });
  const embed = (id: number, inputs: (string | number[])[], dimensions: number | null = null) =>
    embedder.embed(id, { inputs, dimensions });
  return { embedder, embed, computed, held, lines };
}

const vectorsOf = (answer: WorkerAnswer) => (answer.type === 'embedded' ? answer.packed.map(unpackVector) : answer);

describe('vectors', () => {
  it('come in the order of the inputs, of length 1, in 32-bit floats', async () => {
    const { embed } = setup();
    const answer = await embed(1, ['aaa', 'a']);
    const expected = [
      [3 / Math.sqrt(10), 1 / Math.sqrt(10)],
      [1 / Math.sqrt(2), 1 / Math.sqrt(2)],
    ];
    expect(vectorsOf(answer)).toEqual(expected.map((vector) => vector.map(Math.fround)));
  });

  it('count the tokens of all inputs with the frame, which token arrays may bring along', async () => {
    const { embed } = setup();
    expect(await embed(1, ['aaa', [97, 98], [1, 97, 2]])).toMatchObject({ type: 'embedded', promptTokens: 5 + 4 + 3 });
  });

  it('fill the context to the last token and not further', async () => {
    const { embed } = setup();
    expect((await embed(1, ['abcdef'])).type).toBe('embedded');
    expect(await embed(2, ['a', 'abcdefg'])).toMatchObject({
      type: 'refused',
      id: 2,
      error: {
        code: 'context_length_exceeded',
        field: 'inputs.1',
        details: { prompt_tokens: 9, context_tokens: 8 },
      },
    });
  });

  it('are not begun when any input is wrong', async () => {
    const { embed, computed } = setup();
    expect(await embed(1, ['a', 'b', [97, 200]])).toMatchObject({
      type: 'refused',
      error: { code: 'invalid_request', field: 'inputs.2', fix: 'Its tokens are 0 to 199.' },
    });
    for (const wrong of [-1, 1.5, Number.NaN]) expect((await embed(1, [[wrong]])).type).toBe('refused');
    expect(computed).toEqual([]);
  });

  it('refuse a text that is too long to be tokenised in time', async () => {
    const { embed } = setup();
    expect(await embed(1, ['a'.repeat(513)])).toMatchObject({
      error: { code: 'context_length_exceeded', field: 'inputs.0', details: { context_tokens: 8 } },
    });
  });

  it('are of as much of a text as fits, where it may be cut', async () => {
    const { embedder, computed } = setup();
    const inputs = ['a'.repeat(20), 'b'.repeat(6), 'c'.repeat(5_000)];
    const answer = await embedder.embed(1, { inputs, dimensions: null, truncate: true });
    expect(answer).toMatchObject({ type: 'embedded', promptTokens: 24 });
    expect(computed).toEqual(['aaaaaa', 'bbbbbb', 'cccccc']);
  });

  it('must have the length that was asked for', async () => {
    const { embed } = setup();
    expect((await embed(1, ['a'], 2)).type).toBe('embedded');
    expect(await embed(2, ['a'], 3)).toMatchObject({ error: { code: 'invalid_request', field: 'dimensions' } });
  });

  it('are cut and of length 1 again where the model was made for it, and never longer than it makes them', async () => {
    const { embed } = setup({ isMatryoshka: true, vector: [3, 4, 12] });
    expect(vectorsOf(await embed(1, ['a'], 2))).toEqual([[3 / 5, 4 / 5].map(Math.fround)]);
    expect(vectorsOf(await embed(2, ['a'], 3))).toEqual([[3 / 13, 4 / 13, 12 / 13].map(Math.fround)]);
    expect(await embed(3, ['a'], 4)).toMatchObject({
      error: { code: 'invalid_request', field: 'dimensions', fix: expect.stringContaining('3 or less') },
    });
  });

  it.each([[[0, 0]], [[Number.NaN, 1]], [[]]])('of a damaged model fail by its name (%j)', async (vector) => {
    const { embed } = setup({ vector });
    expect(await embed(1, ['a'])).toMatchObject({
      type: 'refused',
      error: {
        code: 'invalid_model_file',
        message: expect.stringMatching(/^The model "m" /),
        details: { reason: 'damaged' },
      },
    });
  });
});

describe('scores', () => {
  it('come in the order of the documents, with the tokens of all pairs', async () => {
    const { embedder } = setup();
    expect(await embedder.rank(1, { query: 'q', documents: ['abc', 'a'] })).toEqual({
      type: 'ranked',
      id: 1,
      scores: [0.3, 0.1],
      promptTokens: 7 + 5,
    });
  });

  it('are not begun when a document does not fit beside the query', async () => {
    const { embedder, computed } = setup();
    expect(await embedder.rank(1, { query: 'q', documents: ['abc', 'abcde'] })).toMatchObject({
      error: { code: 'context_length_exceeded', field: 'documents.1', details: { prompt_tokens: 9 } },
    });
    expect(await embedder.rank(1, { query: 'q'.repeat(600), documents: ['a'] })).toMatchObject({
      error: { code: 'context_length_exceeded', field: 'query' },
    });
    expect(computed).toEqual([]);
  });
});

describe('several requests', () => {
  it('take turns text by text', async () => {
    const { embed, computed, held } = setup({ isHeld: true });
    const answers = [embed(1, ['a', 'b', 'c']), embed(2, ['x'])];
    while (computed.length < 4) {
      await settle();
      held.shift()?.();
    }
    held.shift()?.();
    expect((await Promise.all(answers)).map((answer) => answer.type)).toEqual(['embedded', 'embedded']);
    expect(computed.indexOf('x')).toBeLessThan(computed.indexOf('b'));
  });

  it('can be cancelled one by one, after the text under way', async () => {
    const { embedder, embed, computed, held } = setup({ isHeld: true });
    const first = embed(1, ['a', 'b']);
    await settle();
    const second = embed(2, ['x']);
    await settle();
    embedder.cancel(1);
    embedder.cancel(99);
    for (const release of held.splice(0)) release();
    expect(await first).toMatchObject({ type: 'refused', id: 1, error: { code: 'client_closed_request' } });
    expect((await second).type).toBe('embedded');
    expect(computed).toEqual(['a', 'x']);
  });

  it('all end when the worker stops, which waits for the text under way', async () => {
    const { embedder, embed, held } = setup({ isHeld: true });
    const answer = embed(1, ['a', 'b']);
    await settle();
    let isStopped = false;
    const stopped = embedder.stop(new AppError('shutting_down', 'bye')).then(() => {
      isStopped = true;
    });
    await settle();
    expect(isStopped).toBe(false);
    held.shift()!();
    await stopped;
    expect(await answer).toMatchObject({ type: 'refused', error: { code: 'shutting_down' } });
  });
});
