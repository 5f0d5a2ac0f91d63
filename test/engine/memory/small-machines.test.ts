import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import catalogue from '../../../models/catalog.json' with { type: 'json' };
import { planLoad } from '../../../src/engine/memory/plan.ts';
import { repackRulesOf } from '../../../src/engine/memory/repack.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { repositoryRoot } from '../../support/server.ts';

/** What the makers of a model publish of its form. */
interface Shape {
  layers: number;
  width: number;
  heads: number;
  keyValueHeads: number;
  headWidth: number;
  feedForward: number;
  vocabulary: number;
  merges: number;
}

const qwen = { vocabulary: 151_936, merges: 151_387 };
const llama = { vocabulary: 128_256, merges: 280_147 };
const shape = (layers: number, width: number, heads: number, keyValueHeads: number, headWidth: number) => ({
  layers,
  width,
  heads,
  keyValueHeads,
  headWidth,
});
const shapes: Record<string, Shape> = {
  'qwen2.5-0.5b': { ...shape(24, 896, 14, 2, 64), feedForward: 4_864, ...qwen },
  'llama-3.2-1b': { ...shape(16, 2_048, 32, 8, 64), feedForward: 8_192, ...llama },
  'qwen2.5-1.5b': { ...shape(28, 1_536, 12, 2, 128), feedForward: 8_960, ...qwen },
  'qwen3-1.7b': { ...shape(28, 2_048, 16, 8, 128), feedForward: 6_144, ...qwen },
  'llama-3.2-3b': { ...shape(28, 3_072, 24, 8, 128), feedForward: 8_192, ...llama },
  'qwen3-4b': { ...shape(36, 2_560, 32, 8, 128), feedForward: 9_728, ...qwen },
  'qwen2.5-7b': { ...shape(28, 3_584, 28, 4, 128), feedForward: 18_944, ...qwen },
  'qwen3-8b': { ...shape(36, 4_096, 32, 8, 128), feedForward: 12_288, ...qwen },
  'qwen3-14b': { ...shape(40, 5_120, 40, 8, 128), feedForward: 17_408, ...qwen },
  'qwen3-30b-a3b': { ...shape(48, 2_048, 32, 4, 128), feedForward: 6_144, ...qwen },
  'qwen3-32b': { ...shape(64, 5_120, 64, 8, 128), feedForward: 25_600, ...qwen },
};

const gib = 2 ** 30;
const mib = 2 ** 20;
/** What the server itself has, and what is left to others by default. */
const serverBytes = 140 * mib;
const reserveBytes = 256 * mib;

/** What the header of the model's file would say: its form, and the size that the catalogue has. */
function factsOf(name: string): GgufFacts {
  const model = catalogue.models.find((entry) => entry.name === name)!;
  const form = shapes[name]!;
  const files: { bytes: number }[] = model.variants[0]!.files as { bytes: number }[];
  const sizeBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    version: 3,
    architecture: name.startsWith('llama') ? 'llama' : 'qwen3',
    name,
    sizeBytes,
    tensorBytes: sizeBytes,
    tensorCount: form.layers * 11 + 3,
    parameterCount: model.parameters,
    quantization: model.variants[0]!.quantization,
    trainedContextTokens: model.contextTokens,
    blockCount: form.layers,
    embeddingLength: form.width,
    headCount: form.heads,
    headCountKv: form.keyValueHeads,
    keyLength: form.headWidth,
    valueLength: form.headWidth,
    slidingWindow: null,
    slidingLayers: null,
    fullAttentionInterval: null,
    recurrentStateBytes: 0,
    vocabularySize: form.vocabulary,
    mergeCount: form.merges,
    feedForwardLength: form.feedForward,
    hasChatTemplate: true,
    thinks: false,
    poolingType: null,
    isEncoder: false,
    isRecurrent: false,
    hasNoAttention: false,
    tiedEmbedding: false,
    embeddingBytes: 0,
    embeddingType: null,
    outputBytes: 0,
    layerBytes: [],
    split: null,
    bytesByType: { [model.variants[0]!.quantization === 'q8_0' ? 'q8_0' : 'q4_k']: sizeBytes },
    experts: null,
    expertBytesByType: {},
  };
}

function plan(name: string, memoryGib: number, wish: { contextTokens?: number; slots?: number } = {}) {
  const totalBytes = memoryGib * gib - reserveBytes;
  return planLoad({
    facts: factsOf(name),
    wish,
    budget: { availableBytes: totalBytes - serverBytes, totalBytes },
    repackRules: repackRulesOf(null, 'x64'),
    threads: 2,
    gpu: null,
    correctionBytes: () => 0,
  });
}

const thousands = (tokens: number) => `${tokens / 1_024}k`;

/** By default: context, requests at a time, and an 8-bit cache where one is needed. */
function planned(name: string, memoryGib: number): string {
  const found = plan(name, memoryGib);
  if (found.type === 'refusal') return '–';
  const slots = found.slots === 1 ? '' : ` × ${found.slots}`;
  return `${thousands(found.contextTokens)}${slots}${found.kvType === 'f16' ? '' : ', 8 bits'}`;
}

/** What one request at a time needs, with this context. */
function needed(name: string, contextTokens: number): string {
  if (contextTokens > factsOf(name).trainedContextTokens!) return '–';
  const found = plan(name, 1_000, { contextTokens, slots: 1 });
  return found.type === 'plan' ? (found.expectedBytes.total / 1e9).toFixed(1) : '–';
}

describe('docs/small-machines.md', () => {
  const text = readFileSync(join(repositoryRoot, 'docs/small-machines.md'), 'utf8');

  it('has what a model needs by its context, as the planner says', () => {
    const rows = Object.keys(shapes).map((name) => {
      const contexts = [2_048, 8_192, 16_384, 32_768].map((tokens) => needed(name, tokens));
      return `| \`${name}\` | ${(factsOf(name).sizeBytes / 1e9).toFixed(1)} | ${contexts.join(' | ')} |`;
    });
    for (const row of rows) expect(text).toContain(row);
  });

  it('has what is planned by default, as the planner says', () => {
    const rows = Object.keys(shapes).map((name) => {
      return `| \`${name}\` | ${[2, 3, 6, 14, 28].map((memoryGib) => planned(name, memoryGib)).join(' | ')} |`;
    });
    for (const row of rows) expect(text).toContain(row);
  });
});
