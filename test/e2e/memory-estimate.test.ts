import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeWindowedModel } from '../../scripts/tiny-models/models.ts';
import { expectBytes, type LoadShape } from '../../src/engine/memory/expect.ts';
import { usesFlashAttention } from '../../src/engine/memory/kv-cache.ts';
import { repackRulesOf } from '../../src/engine/memory/repack.ts';
import { purposeOf, readGguf } from '../../src/store/gguf/gguf.ts';
import { footprintOf } from '../support/footprint.ts';
import { builtInModels, realModels } from '../support/models.ts';
import { halfBillionModels, smallBench, writeBenchModels } from '../support/small-models.ts';
import { letters, makeTinyModels, promptOf } from '../support/tiny-models.ts';

/** What the estimate may be off by, either way. */
const tolerance = 0.1;
const rules = repackRulesOf(readFileSync('/proc/cpuinfo', 'utf8'), process.arch);
const builtIn = join(builtInModels, 'hearth-guide-3m-q8_0.gguf');
const tinyNames = ['llama', 'qwen2', 'qwen3', 'qwen3moe', 'gemma2', 'gemma3', 'chatglm', 'mamba', 'bert'];
const real = realModels(['smollm2-135m-instruct-q4_1.gguf', 'all-minilm-l6-v2-q8_0.gguf']);
const bench = halfBillionModels();

/** Estimate by measurement, minus 1: right after the load, and once a prompt has filled batch and context. */
async function errorsOf(filePath: string, wish: Partial<LoadShape>, lettersPerToken = 1) {
  const facts = await readGguf(filePath);
  const purpose = purposeOf(facts);
  const contextTokens = Math.min(wish.contextTokens ?? 2_048, facts.trainedContextTokens ?? 2_048);
  const shape: LoadShape = {
    slots: 1,
    useMmap: false,
    kvType: 'f16',
    ...wish,
    contextTokens,
    batchTokens: facts.isEncoder ? contextTokens : Math.min(wish.batchTokens ?? 512, contextTokens),
  };
  const measured = await footprintOf(
    {
      ...shape,
      purpose,
      model: 'm',
      modelPath: filePath,
      vault: null,
      libuvThreads: 1,
      drafts: false,
      flashAttention: usesFlashAttention(facts, shape.kvType),
      maxThreads: 1,
      threads: 1,
      gpu: null,
    },
    promptOf(letters(Math.floor(contextTokens * 0.93 * lettersPerToken) - 10, 7)),
  );
  const expected = expectBytes(facts, shape, rules);
  return {
    atLoad: expected.atLoad / measured.atLoadBytes - 1,
    worked: expected.total / measured.workedBytes - 1,
  };
}

/** Read and mapped, side by side: each keeps one core busy. */
async function expectRight(filePath: string, wish: Partial<LoadShape>, lettersPerToken = 1) {
  const errors = await Promise.all(
    [false, true].map((useMmap) => errorsOf(filePath, { ...wish, useMmap }, lettersPerToken)),
  );
  for (const [index, { atLoad, worked }] of errors.entries()) {
    const how = index === 0 ? 'read' : 'mapped';
    for (const [when, error] of Object.entries({ atLoad, worked })) {
      expect(Math.abs(error), `${how}, ${when}: off by ${(error * 100).toFixed(1)} %`).toBeLessThan(tolerance);
    }
  }
}

describe('the memory estimate, without what earlier loads have taught', () => {
  let folder: string;
  let tiny: Awaited<ReturnType<typeof makeTinyModels>>;
  let small: string[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-estimate-'));
    tiny = await makeTinyModels();
    small = await writeBenchModels(folder, [
      { size: smallBench, type: 'q4_0' },
      { size: smallBench, type: 'q8_0' },
    ]);
  });
  afterAll(async () => {
    await tiny?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  describe('of a file that is read and of one that is mapped', () => {
    it.each(tinyNames)('is right within a tenth for the tiny %s', async (name) => {
      await expectRight(join(tiny.folder, `tiny-${name}.gguf`), {});
    });

    it('is right within a tenth for a model most of whose layers keep a window only', async () => {
      const filePath = join(folder, 'windowed.gguf');
      await writeWindowedModel(filePath);
      await expectRight(filePath, { contextTokens: 6_144, batchTokens: 128 });
    });

    it.each<[string, Partial<LoadShape>]>([
      ['one slot', {}],
      ['four slots', { slots: 4 }],
      ['a small batch', { batchTokens: 128 }],
      ['a cache of 8 bits', { kvType: 'q8_0', slots: 4 }],
    ])('is right within a tenth for the built-in model with %s', async (_title, shape) => {
      // Its tokenizer takes two tokens for a blank and a letter.
      await expectRight(builtIn, shape, 0.5);
    });

    it.each([0, 1])('is right within a tenth for a bench-like model of each quantization (%i)', async (index) => {
      await expectRight(small[index]!, { slots: 2 });
    });

    it.skipIf('skip' in real).each<[string, Partial<LoadShape>]>([
      ['smollm2-135m-instruct-q4_1.gguf', { contextTokens: 1_024 }],
      ['smollm2-135m-instruct-q4_1.gguf', { slots: 4, contextTokens: 1_024, batchTokens: 128 }],
      ['smollm2-135m-instruct-q4_1.gguf', { slots: 4, contextTokens: 768, kvType: 'q8_0' }],
      ['all-minilm-l6-v2-q8_0.gguf', {}],
    ])('is right within a tenth for %s with %j', async (name, shape) => {
      if ('skip' in real) return;
      await expectRight(join(real.folder, name), shape);
    });

    it.skipIf('skip' in bench).each([0, 1])(
      'is right within a tenth for the 0.5 B bench models (%i)',
      async (index) => {
        if ('skip' in bench) return;
        await expectRight(bench.paths[index]!, { contextTokens: 1_024 });
      },
    );
  });
});
