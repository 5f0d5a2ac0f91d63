import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { readGguf, readGgufSource, readModelFiles } from '../../../src/store/gguf/gguf.ts';
import {
  bufferSource,
  type GgufSpec,
  type GgufValue,
  text,
  tinyGguf,
  tinyMetadata,
  tinyTensors,
  u32,
  u64,
  writeGguf,
  writeGgufHeader,
} from '../../support/gguf-writer.ts';

const read = (file: Buffer) => readGgufSource(bufferSource(file));

/** The reason code of the refusal, or `accepted`. */
async function reasonOf(answer: Promise<unknown>): Promise<unknown> {
  try {
    await answer;
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('invalid_model_file');
    return (error as AppError).details?.['reason'];
  }
}

const withMetadata = (overrides: Record<string, GgufValue | null>) => tinyGguf(overrides);
const withSpec = (spec: GgufSpec) => tinyGguf({}, spec);
const max64 = 2n ** 64n - 1n;

describe('facts', () => {
  test.each([
    ['{{ messages[0].content }}', false],
    ['{% if enable_thinking %}<think>{% endif %}', true],
    [`${'{# long #}'.repeat(500)}<|channel|>analysis`, true],
    ['[THINK]', true],
  ])('tell whether the template has a place for reasoning (%#)', async (template, thinks) => {
    expect((await read(tinyGguf({ 'tokenizer.chat_template': { text: template } }))).thinks).toBe(thinks);
  });

  test('a complete file gives its shape, sizes and names', async () => {
    const file = tinyGguf();
    expect(await read(file)).toEqual({
      version: 3,
      architecture: 'llama',
      name: 'Tiny',
      sizeBytes: file.length,
      tensorBytes: (32 + 64 + 64) * 4,
      tensorCount: 3,
      parameterCount: 160,
      quantization: 'f32',
      trainedContextTokens: 512,
      blockCount: 2,
      embeddingLength: 8,
      headCount: 2,
      headCountKv: 1,
      keyLength: null,
      valueLength: null,
      slidingWindow: null,
      slidingLayers: null,
      fullAttentionInterval: null,
      recurrentStateBytes: 0,
      vocabularySize: 4,
      hasChatTemplate: true,
      thinks: false,
      poolingType: null,
      isEncoder: false,
      isRecurrent: false,
      hasNoAttention: false,
      tiedEmbedding: true,
      embeddingBytes: 128,
      embeddingType: 'f32',
      feedForwardLength: null,
      mergeCount: 0,
      outputBytes: 0,
      layerBytes: [256, 256],
      split: null,
      bytesByType: { f32: 640 },
      experts: null,
      expertBytesByType: {},
    });
  });

  test('a mixture of experts says how many a token takes, and what they weigh', async () => {
    const tensors = [
      { name: 'token_embd.weight', dimensions: [8, 4] },
      { name: 'blk.0.ffn_up_exps.weight', dimensions: [8, 4, 16] },
      { name: 'blk.0.ffn_gate_inp.weight', dimensions: [8, 16] },
      { name: 'blk.0.ffn_up_shexp.weight', dimensions: [8, 4] },
    ];
    const metadata = tinyMetadata({
      'llama.expert_count': { u32: 16 },
      'llama.expert_used_count': { u32: 2 },
      'llama.expert_feed_forward_length': { array: 'u32', values: [4, 6] },
    });
    expect(await read(writeGguf({ metadata, tensors }))).toMatchObject({
      experts: { count: 16, used: 2, feedForwardLength: 6 },
      bytesByType: { f32: 128 + 2_048 + 512 + 128 },
      expertBytesByType: { f32: 2_048 },
    });
  });

  test('version 2 reads like version 3', async () => {
    expect((await read(withSpec({ version: 2 }))).version).toBe(2);
  });

  test('a header alone, with no tensors, is a valid header', async () => {
    expect(await read(writeGguf({ metadata: tinyMetadata() }))).toMatchObject({
      tensorCount: 0,
      quantization: 'unknown',
    });
  });

  test('the label of the file type wins over the types of the tensors', async () => {
    expect((await read(withMetadata({ 'general.file_type': { u32: 15 } }))).quantization).toBe('q4_k_m');
  });

  test('without a known file type the type with most bytes names the quantization', async () => {
    const tensors = [
      { name: 'token_embd.weight', dimensions: [32, 4] },
      { name: 'blk.0.ffn_up.weight', dimensions: [32, 256], type: 8, block: { elements: 32, bytes: 34 } },
    ];
    for (const fileType of [null, { u32: 9999 }]) {
      const facts = await read(tinyGguf({ 'general.file_type': fileType }, { tensors }));
      expect(facts.quantization).toBe('q8_0');
      expect(facts.bytesByType).toEqual({ f32: 512, q8_0: 256 * 34 });
    }
  });

  test.each<[string, Record<string, GgufValue | null>, boolean[] | null]>([
    ['the architecture', {}, [true, true, true, true, true, false, true]],
    ['a period of its own', { pattern: { u32: 3 } }, [true, true, false, true, true, false, true]],
    ['a period of one: none', { pattern: { u32: 1 } }, Array(7).fill(false)],
    ['a period of zero: all', { pattern: { u32: 0 } }, Array(7).fill(true)],
    [
      'a value for each',
      { pattern: { array: 'u8', values: [1, 0, 0, 1, 1, 0] } },
      [true, false, false, true, true, false, false],
    ],
    ['no window', { window: null }, null],
    ['a window of zero', { window: { u32: 0 } }, null],
  ])('which layers slide is said by %s', async (_title, changes, layers) => {
    const window = 'window' in changes ? changes.window! : { u32: 512 };
    const facts = await read(
      tinyGguf({
        'general.architecture': { text: 'gemma3' },
        'gemma3.block_count': { u32: 7 },
        'gemma3.attention.sliding_window': window,
        'gemma3.attention.sliding_window_pattern': changes['pattern'] ?? null,
      }),
    );
    expect(facts.slidingLayers).toEqual(layers);
  });

  test('a window that no layer is known to use slides nowhere', async () => {
    expect((await read(withMetadata({ 'llama.attention.sliding_window': { u32: 512 } }))).slidingLayers).toBeNull();
  });

  test('head counts may differ per layer', async () => {
    const facts = await read(withMetadata({ 'llama.attention.head_count_kv': { array: 'i32', values: [1, 0] } }));
    expect(facts.headCountKv).toEqual([1, 0]);
  });

  test('an output matrix means that the embedding is not tied', async () => {
    const tensors = [...tinyTensors, { name: 'output.weight', dimensions: [8, 4] }];
    expect((await read(withSpec({ tensors }))).tiedEmbedding).toBe(false);
  });

  test.each([
    ['bert', true, false],
    ['mamba', false, true],
    ['qwen3next', false, true],
    ['somethingnew', false, false],
  ])('%s: encoder %s, recurrent %s', async (architecture, isEncoder, isRecurrent) => {
    const facts = await read(withMetadata({ 'general.architecture': { text: architecture } }));
    expect(facts).toMatchObject({ architecture, isEncoder, isRecurrent });
  });

  test('the alignment of the file is respected', async () => {
    const facts = await read(tinyGguf({ 'general.alignment': { u32: 64 } }, { alignment: 64 }));
    expect(facts.tensorCount).toBe(3);
  });

  test('a long template is noticed but not kept', async () => {
    const facts = await read(withMetadata({ 'tokenizer.chat_template': { text: 'x'.repeat(3 * 2 ** 20) } }));
    expect(facts.hasChatTemplate).toBe(true);
    expect(JSON.stringify(facts).length).toBeLessThan(1_000);
  });
});

describe('refusals', () => {
  const metadataWith = (key: string, value: GgufValue): [string, GgufValue][] => [...tinyMetadata(), [key, value]];
  const rawHeader = (rest: Buffer) =>
    Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0n), u64(1n), rest, Buffer.alloc(4096)]);
  const tensorOf = (tensor: object) => withSpec({ tensors: [{ name: 'a', dimensions: [8, 4], ...tensor }] });

  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'empty'],
    ['three bytes', Buffer.from('GGU'), 'not_gguf'],
    ['another kind of file', Buffer.from('PK\u0003\u0004 and more than a few bytes'), 'not_gguf'],
    ['a page saying 404', Buffer.from('<!DOCTYPE html><title>Not found</title>'), 'not_gguf'],
    ['version 0', withSpec({ version: 0 }), 'unsupported_version'],
    ['version 1', withSpec({ version: 1 }), 'version_1'],
    ['version 99', withSpec({ version: 99 }), 'unsupported_version'],
    ['big-endian', withSpec({ version: 0x03000000 }), 'big_endian'],
    ['2^64 - 1 metadata entries', withSpec({ metadataCount: max64 }), 'bad_metadata_count'],
    ['ten million metadata entries', withSpec({ metadataCount: 10_000_000n }), 'bad_metadata_count'],
    ['more metadata entries than bytes', withSpec({ metadataCount: 16_000n }), 'bad_metadata_count'],
    ['2^64 - 1 tensors', withSpec({ tensorCount: max64 }), 'bad_tensor_count'],
    ['more tensors than bytes', withSpec({ tensorCount: 60_000n }), 'bad_tensor_count'],
    ['a key of 2^64 - 1 bytes', rawHeader(u64(max64)), 'bad_key_length'],
    ['a key of 4 GiB', rawHeader(u64(2n ** 32n - 1n)), 'bad_key_length'],
    ['an empty key', withSpec({ metadata: metadataWith('', { u32: 1 }) }), 'bad_key_length'],
    ['a key of 65 KB', withSpec({ metadata: metadataWith('k'.repeat(65_000), { u32: 1 }) }), 'bad_key_length'],
    ['the same key twice', withSpec({ metadata: metadataWith('general.name', { u32: 1 }) }), 'duplicate_key'],
    ['a __proto__ key', withSpec({ metadata: metadataWith('general.__proto__.x', { u32: 1 }) }), 'bad_key'],
    ['a constructor key', withSpec({ metadata: metadataWith('constructor.prototype.x', { u32: 1 }) }), 'bad_key'],
    ['a text of 2^64 - 1 bytes', withMetadata({ x: { type: 8, raw: u64(max64) } }), 'bad_string_length'],
    ['a text of 1 GiB', withMetadata({ x: { type: 8, raw: u64(2n ** 30n) } }), 'bad_string_length'],
    ['a text beyond the end', withMetadata({ x: { type: 8, raw: u64(2n ** 20n) } }), 'truncated'],
    ['a value of type 99', withMetadata({ x: { type: 99, raw: u64(0n) } }), 'bad_value_type'],
    ['an array of type 99', withMetadata({ x: { type: 9, raw: Buffer.concat([u32(99), u64(1n)]) } }), 'bad_value_type'],
    [
      'an array of 2^64 - 1',
      withMetadata({ x: { type: 9, raw: Buffer.concat([u32(4), u64(max64)]) } }),
      'bad_array_length',
    ],
    [
      'an array beyond the end',
      withMetadata({ x: { type: 9, raw: Buffer.concat([u32(4), u64(10_000n)]) } }),
      'truncated',
    ],
    ['texts beyond the end', withMetadata({ x: { type: 9, raw: Buffer.concat([u32(8), u64(10_000n)]) } }), 'truncated'],
    ['an array of arrays', withMetadata({ x: { type: 9, raw: Buffer.concat([u32(9), u64(1n)]) } }), 'nested_array'],
    ['a truth value of 2', withMetadata({ x: { type: 7, raw: Buffer.from([2]) } }), 'bad_boolean'],
    ['alignment 0', withMetadata({ 'general.alignment': { u32: 0 } }), 'bad_alignment'],
    ['alignment 13', withMetadata({ 'general.alignment': { u32: 13 } }), 'bad_alignment'],
    ['alignment 2^31', withMetadata({ 'general.alignment': { u32: 2 ** 31 } }), 'bad_alignment'],
    ['an alignment that is a text', withMetadata({ 'general.alignment': { text: '32' } }), 'bad_alignment'],
    ['an alignment of another width', withMetadata({ 'general.alignment': { u64: 32n } }), 'bad_alignment'],
    ['a tensor beyond the file', tensorOf({ offset: 2n ** 40n }), 'truncated_data'],
    ['an offset of 2^64 - 32', tensorOf({ offset: 2n ** 64n - 32n }), 'truncated_data'],
    ['a misaligned tensor', tensorOf({ offset: 1n }), 'misaligned_tensor'],
    [
      'overlapping tensors',
      withSpec({
        tensors: [
          { name: 'a', dimensions: [64] },
          { name: 'b', dimensions: [64], offset: 32n },
        ],
      }),
      'overlapping_tensors',
    ],
    ['data short by one byte', tinyGguf().subarray(0, -1), 'truncated_data'],
    ['no dimensions', tensorOf({ dimensions: [] }), 'bad_dimensions'],
    ['five dimensions', tensorOf({ dimensions: [1, 1, 1, 1, 1] }), 'bad_dimensions'],
    ['a dimension of 0', tensorOf({ dimensions: [8, 0], bytes: 128 }), 'bad_dimensions'],
    [
      'a product that overflows',
      tensorOf({ dimensions: [2n ** 32n - 1n, 2n ** 32n - 1n], bytes: 128 }),
      'bad_dimensions',
    ],
    ['rows that do not fit the blocks', tensorOf({ dimensions: [33], type: 8, bytes: 128 }), 'bad_dimensions'],
    ['a huge dimension', tensorOf({ dimensions: [2n ** 32n - 1n], bytes: 128 }), 'truncated_data'],
    ['a withdrawn tensor type', tensorOf({ type: 4 }), 'unknown_tensor_type'],
    ['an unknown tensor type', tensorOf({ type: 4_000_000 }), 'unknown_tensor_type'],
    ['a tensor name of 64 bytes', tensorOf({ name: 'n'.repeat(64) }), 'bad_tensor_name'],
    ['a tensor without a name', tensorOf({ name: '' }), 'bad_tensor_name'],
    ['the same tensor twice', withSpec({ tensors: [...tinyTensors, tinyTensors[0]!] }), 'duplicate_tensor'],
    ['no architecture', withMetadata({ 'general.architecture': null }), 'missing_architecture'],
    ['an impossible architecture', withMetadata({ 'general.architecture': { text: '../x' } }), 'bad_architecture'],
    ['2^32 - 1 layers', withMetadata({ 'llama.block_count': { u32: 2 ** 32 - 1 } }), 'out_of_range'],
    ['no heads', withMetadata({ 'llama.attention.head_count': { u32: 0 } }), 'out_of_range'],
    ['a context of 2^31', withMetadata({ 'llama.context_length': { u32: 2 ** 31 } }), 'out_of_range'],
    ['a text where a number belongs', withMetadata({ 'llama.context_length': { text: '512' } }), 'wrong_type'],
    ['a fraction where a whole number belongs', withMetadata({ 'llama.block_count': { f32: 2 } }), 'wrong_type'],
    [
      'an empty vocabulary',
      withMetadata({ 'tokenizer.ggml.tokens': { array: 'text', values: [] } }),
      'empty_vocabulary',
    ],
    ['a token beyond the vocabulary', withMetadata({ 'tokenizer.ggml.eos_token_id': { u32: 4 } }), 'bad_token_id'],
    ['9,999 parts', withMetadata({ 'split.count': { u16: 9_999 }, 'split.no': { u16: 0 } }), 'too_many_parts'],
  ])('%s is refused', async (_title, file, reason) => {
    expect(await reasonOf(read(file))).toBe(reason);
  });

  test('ten million tokens are refused before they are walked', async () => {
    const tokens = Buffer.concat([u32(8), u64(10_000_000n)]);
    const source = bufferSource(withMetadata({ 'tokenizer.ggml.tokens': { type: 9, raw: tokens } }));
    expect(await reasonOf(readGgufSource({ ...source, sizeBytes: 2 ** 30 }))).toBe('bad_array_length');
  });

  test('a file cut at any byte of its header is refused', async () => {
    const spec = { metadata: tinyMetadata(), tensors: tinyTensors };
    const header = writeGgufHeader(spec);
    for (let length = 0; length < header.length; length++) {
      expect(await reasonOf(read(header.subarray(0, length))), `cut at ${length}`).toMatch(
        /^(empty|not_gguf|truncated|bad_metadata_count|bad_tensor_count)$/,
      );
    }
    expect(await reasonOf(read(writeGguf(spec)))).toBe('accepted');
  });

  test('no refusal names a path or repeats text of the file', async () => {
    const file = withMetadata({ 'general.architecture': { text: '/etc/passwd' } });
    await expect(read(file)).rejects.toThrow(/^[^/]*$/);
  });
});

describe('files', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-gguf-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Writes the parts of a split model and gives their paths. */
  async function writeParts(set: string, parts: { no: number; count: number; total: number; tensor: string }[]) {
    const paths: string[] = [];
    for (const [index, part] of parts.entries()) {
      const split: [string, GgufValue][] = [
        ['split.no', { u16: part.no }],
        ['split.count', { u16: part.count }],
        ['split.tensors.count', { i32: part.total }],
      ];
      const metadata = index === 0 ? [...tinyMetadata(), ...split] : split;
      paths.push(join(folder, `${set}-${index}.gguf`));
      await writeFile(paths[index]!, writeGguf({ metadata, tensors: [{ name: part.tensor, dimensions: [8, 8] }] }));
    }
    return paths;
  }

  test('a header longer than one chunk is read through several', async () => {
    const words = Array.from({ length: 60_000 }, (_, index) => `token number ${index} with some text`);
    const path = join(folder, 'large.gguf');
    await writeFile(path, withMetadata({ 'tokenizer.ggml.tokens': { array: 'text', values: words } }));
    expect((await readGguf(path)).vocabularySize).toBe(60_000);
  });

  test('a missing file and a folder are refused, not thrown as something else', async () => {
    await mkdir(join(folder, 'folder.gguf'));
    expect(await reasonOf(readGguf(join(folder, 'missing.gguf')))).toBe('unreadable');
    expect(await reasonOf(readGguf(join(folder, 'folder.gguf')))).toBe('not_a_file');
  });

  test('the parts of a split model are summed', async () => {
    const paths = await writeParts('good', [
      { no: 0, count: 2, total: 2, tensor: 'token_embd.weight' },
      { no: 1, count: 2, total: 2, tensor: 'output.weight' },
    ]);
    expect(await readModelFiles(paths)).toMatchObject({
      architecture: 'llama',
      tensorCount: 2,
      parameterCount: 128,
      tensorBytes: 512,
      tiedEmbedding: false,
      split: { index: 0, count: 2 },
    });
  });

  test('a missing, swapped or foreign part is refused', async () => {
    const part = (no: number, count = 2, total = 2) => ({ no, count, total, tensor: `t${no}` });
    const missing = await writeParts('missing', [part(0)]);
    const twoParts = await writeParts('swapped', [part(0), part(1)]);
    const foreign = await writeParts('foreign', [part(0), part(1, 3)]);
    const short = await writeParts('short', [part(0, 2, 5), part(1, 2, 5)]);
    expect(await reasonOf(readModelFiles(missing))).toBe('split_part_missing');
    expect(await reasonOf(readModelFiles(twoParts.toReversed()))).toBe('bad_split');
    expect(await reasonOf(readModelFiles([twoParts[0]!, twoParts[0]!]))).toBe('bad_split');
    expect(await reasonOf(readModelFiles(foreign))).toBe('bad_split');
    expect(await reasonOf(readModelFiles(short))).toBe('bad_split');
    expect(await reasonOf(readModelFiles(Array(65).fill(missing[0])))).toBe('too_many_parts');
  });

  test('the key of a broken entry never reaches prototypes', async () => {
    await reasonOf(
      read(Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0n), u64(1n), text('__proto__.polluted'), u32(4), u32(1)])),
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
