import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { type CatalogDeps, chooseVariant, createCatalog } from '../../../src/store/catalog/catalog.ts';
import { type GgufValue, tinyGguf, tinyMetadata, writeGguf } from '../../support/gguf-writer.ts';

let root = '';
let folder = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hearth-catalog-'));
  folder = join(root, 'models');
  await mkdir(folder);
});
afterEach(() => rm(root, { recursive: true }));

/** Writes files, by default tiny valid models, into the model folder. */
async function put(files: readonly string[], content: Buffer = tinyGguf()): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), content);
  }
}

async function open(deps: Partial<CatalogDeps> = {}) {
  const log = createLogger('silent');
  const catalog = createCatalog({
    folders: [folder],
    builtinFile: null,
    aliases: {},
    defaultModel: null,
    log,
    ...deps,
  });
  await catalog.refresh();
  return catalog;
}

function failure(act: () => unknown): AppError {
  try {
    act();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error('no AppError was thrown');
}

const part = (no: number, count: number) => {
  const split: [string, GgufValue][] = [
    ['split.no', { u16: no }],
    ['split.count', { u16: count }],
  ];
  const metadata = no === 0 ? [...tinyMetadata(), ...split] : split;
  return writeGguf({ metadata, tensors: [{ name: `blk.${no}.w`, dimensions: [8, 8] }] });
};

describe('names', () => {
  let catalog: Awaited<ReturnType<typeof open>>;
  beforeEach(async () => {
    catalog = await open();
  });

  test.each([
    ['hearth-guide-3m-q8_0.gguf', 'hearth-guide-3m', 'q8_0'],
    ['Qwen2.5-7B-Instruct.Q4_K_M.gguf', 'Qwen2.5-7B-Instruct', 'q4_k_m'],
    ['gemma-2b-f16.gguf', 'gemma-2b', 'f16'],
    ['gemma-2b-BF16.GGUF', 'gemma-2b', 'bf16'],
    ['llama-iq4_xs.gguf', 'llama', 'iq4_xs'],
    ['Qwen3-8B-UD-Q4_K_XL.gguf', 'Qwen3-8B', 'ud-q4_k_xl'],
    ['gpt-oss-20b-mxfp4.gguf', 'gpt-oss-20b', 'mxfp4'],
    ['model_Q5_K_S.gguf', 'model', 'q5_k_s'],
    ['fp16-model-FP16.gguf', 'fp16-model', 'f16'],
    ['plain.gguf', 'plain', 'f32'],
    ['Q4_0.gguf', 'Q4_0', 'f32'],
    ['My Modèle 1.gguf', 'My Modèle 1', 'f32'],
    ['Größe-Q8_0.gguf', 'Größe', 'q8_0'],
    ['модель.gguf', 'модель', 'f32'],
    ['👩\u200d🚀.gguf', '👩\u200d🚀', 'f32'],
    ['-leading.gguf', '-leading', 'f32'],
    ['a:b.gguf', 'a:b', 'f32'],
    ['back\\slash.gguf', 'back\\slash', 'f32'],
    ['new\nline.gguf', 'new%0Aline', 'f32'],
    ['esc\u001b[31m.gguf', 'esc%1B[31m', 'f32'],
    ['\u202ertl.gguf', '%E2%80%AErtl', 'f32'],
    [' blank .gguf', '%20blank%20', 'f32'],
    ['percent%2Fslash.gguf', 'percent%2Fslash', 'f32'],
    ['x.gguf.gguf', 'x.gguf', 'f32'],
    ['pulls.gguf', 'pulls.gguf', 'f32'],
    ['default-Q8_0.gguf', 'default', 'q8_0'],
    [`${'a'.repeat(250)}.gguf`, 'a'.repeat(250), 'f32'],
  ])('%s is the model %s in %s', async (file, name, quantization) => {
    await put([file]);
    const catalog = await open();
    expect(catalog.models().map((model) => [model.name, model.variants[0]?.quantization])).toEqual([
      [name, quantization],
    ]);
    expect(catalog.resolve(name).model.name).toBe(name);
  });

  test('name, stem, name:quantization and name:latest find the model, whatever the case', async () => {
    await put(['Guide-3m-Q8_0.gguf', 'sub/guide-3m-q4_0.gguf']);
    const catalog = await open();
    expect(catalog.models()).toHaveLength(1);
    const id = (name: string) => catalog.resolve(name).variant?.id ?? null;
    expect(id('guide-3M')).toBeNull();
    expect(id('GUIDE-3m:latest')).toBeNull();
    expect(id('guide-3m-q8_0')).toBe('Guide-3m:q8_0');
    expect(id('guide-3m:Q4_0')).toBe('Guide-3m:q4_0');
    expect(catalog.models()[0]?.aliases).toEqual(['Guide-3m-Q8_0', 'guide-3m-q4_0']);
  });

  test.each([
    '../x',
    '/etc/passwd',
    'a/../../b',
    'C:\\x',
    'a\0b',
    'a\nb',
    '',
    '.',
    '..',
    'x'.repeat(1_025),
    'x'.repeat(100_000),
    'a\u202eb',
    'hf:org/repo',
    'https://example.org/x.gguf',
    'a//b',
  ])('%j is not a name', async (name) => {
    await put(['plain.gguf']);
    expect(failure(() => catalog.resolve(name))).toMatchObject({ code: 'invalid_request', field: 'model' });
  });
  test.each([
    ...['nothing-like-it', 'org/repo', 'hf.co/org/repo:Q4_K_M', '__proto__', 'constructor'],
    ...['a b', '-rf', 'name.', 'a\\b', 'mоdel', '．．／x', 'Größe', 'x'.repeat(300)],
  ])('%s is unknown', (name) => {
    expect(failure(() => catalog.resolve(name)).code).toBe('model_not_found');
  });

  test('an unknown name is answered with close ones, at most five', async () => {
    await put([...Array.from({ length: 8 }, (_, index) => `other-${index}.gguf`), 'qwen-7b-chat-q4_0.gguf']);
    const crowded = await open();
    expect(failure(() => crowded.resolve('qwen-7b')).fix).toMatch(/: qwen-7b-chat\.$/);
    expect(failure(() => crowded.resolve('zzz')).details).toEqual({
      close: ['other-0', 'other-1', 'other-2', 'other-3', 'other-4'],
    });
  });

  test('an unknown quantization names those that are there', async () => {
    await put(['m-q4_0.gguf', 'm-q8_0.gguf']);
    const small = await open();
    expect(failure(() => small.resolve('m:q2_k'))).toMatchObject({
      code: 'model_not_found',
      fix: 'Available: q4_0, q8_0.',
    });
  });
});

describe('default and aliases', () => {
  test('the built-in model is there without any folder, never twice, and is the default', async () => {
    await put(['guide-q8_0.gguf', 'm-q4_0.gguf']);
    const builtinFile = join(folder, 'guide-q8_0.gguf');
    const alone = await open({ folders: [], builtinFile });
    expect(alone.models().map((model) => model.name)).toEqual(['guide']);
    const beside = await open({ builtinFile });
    expect(beside.models().map((model) => [model.name, model.variants.length])).toEqual([
      ['guide', 1],
      ['m', 1],
    ]);
    expect(beside.resolve('default')).toMatchObject({ model: { name: 'guide' }, variant: { id: 'guide:q8_0' } });
    expect(beside.models()[0]?.aliases).toEqual(['default', 'guide-q8_0']);
  });

  test('a folder that is reached through a link holds the same built-in file', async () => {
    await put(['guide-q8_0.gguf']);
    await symlink(folder, join(root, 'link'));
    const catalog = await open({ folders: [join(root, 'link')], builtinFile: join(folder, 'guide-q8_0.gguf') });
    expect(catalog.models()[0]?.variants).toHaveLength(1);
  });

  test('a configured default wins, and without any default there is none', async () => {
    await put(['guide-q8_0.gguf', 'm-q4_0.gguf']);
    const configured = await open({ builtinFile: join(folder, 'guide-q8_0.gguf'), defaultModel: 'm:q4_0' });
    expect(configured.resolve('Default').variant?.id).toBe('m:q4_0');
    expect(failure(() => createCatalogWithout().resolve('default')).code).toBe('model_not_found');
  });
  const createCatalogWithout = () =>
    createCatalog({ folders: [], builtinFile: null, aliases: {}, defaultModel: null, log: createLogger('silent') });

  test('a file that is called as an alias has another name', async () => {
    await put(['m-q4_0.gguf', 'chat-q4_0.gguf', 'default-q8_0.gguf']);
    const catalog = await open({ aliases: { chat: 'm' }, defaultModel: 'm' });
    expect(catalog.models().map(({ name }) => name)).toEqual(['chat-q4_0', 'default-q8_0', 'm']);
    for (const { name, aliases } of catalog.models()) {
      for (const each of [name, ...aliases]) expect(catalog.resolve(each).model.name).toBe(name);
    }
  });

  test('a file called default is the default where none is configured', async () => {
    await put(['guide-q8_0.gguf', 'default-q8_0.gguf']);
    const catalog = await open({ builtinFile: join(folder, 'guide-q8_0.gguf') });
    expect(catalog.resolve('default').model.variants[0]?.files).toEqual(['default-q8_0.gguf']);
  });

  test('the built-in model can be left out, also where it lies in the folder', async () => {
    await put(['guide-q8_0.gguf', 'm-q4_0.gguf']);
    const catalog = await open({ hiddenFile: join(folder, 'guide-q8_0.gguf') });
    expect(catalog.models().map(({ name }) => name)).toEqual(['m']);
    expect(failure(() => catalog.resolve('default')).fix).toMatch(/HEARTH_DEFAULT_MODEL.* m\./);
  });

  test('aliases lead through aliases to models and variants, and take a quantization', async () => {
    await put(['m-q4_0.gguf', 'm-q8_0.gguf']);
    const catalog = await open({
      aliases: { chat: 'assistant', assistant: 'm', small: 'm:q4_0', m2: 'chat:q8_0', gone: 'missing' },
    });
    const id = (name: string) => catalog.resolve(name).variant?.id ?? catalog.resolve(name).model.name;
    expect(['CHAT', 'small', 'chat:q8_0', 'm2', 'small:q8_0'].map(id)).toEqual([
      'm',
      'm:q4_0',
      'm:q8_0',
      'm:q8_0',
      'm:q8_0',
    ]);
    expect(catalog.models()[0]?.aliases).toEqual(['chat', 'assistant', 'small', 'm2', 'm-q4_0', 'm-q8_0']);
    expect(failure(() => catalog.resolve('gone')).message).toMatch(/gone \(an alias for missing\)/);
  });

  test('an alias may pin a variant of the model of the same name', async () => {
    await put(['m-q4_0.gguf', 'm-q8_0.gguf']);
    const catalog = await open({ aliases: { m: 'm:q8_0', ghost: 'ghost:q8_0' } });
    expect(catalog.resolve('m').variant?.id).toBe('m:q8_0');
    expect(catalog.resolve('m:q4_0').variant?.id).toBe('m:q4_0');
    expect(failure(() => catalog.resolve('ghost')).code).toBe('model_not_found');
  });

  test('aliases in a circle are refused', () => {
    const create = (aliases: Record<string, string>, defaultModel: string | null = null) =>
      createCatalog({ folders: [], builtinFile: null, aliases, defaultModel, log: createLogger('silent') });
    expect(failure(() => create({ a: 'b', b: 'A' })).message).toMatch(/leads back to itself/);
    expect(failure(() => create({ a: 'default' }, 'a')).message).toMatch(/leads back to itself/);
  });
});

describe('variants', () => {
  const chosen = async (...files: string[]) => {
    await put(files);
    return chooseVariant((await open()).models()[0]!).quantization;
  };
  test('q4_k_m is chosen before q4_0, q4_1, q5_k_m and q8_0', async () => {
    expect(await chosen('m-q8_0.gguf')).toBe('q8_0');
    expect(await chosen('m-q5_k_m.gguf')).toBe('q5_k_m');
    expect(await chosen('m-q4_1.gguf')).toBe('q4_1');
    expect(await chosen('m-q4_0.gguf')).toBe('q4_0');
    expect(await chosen('m-q4_k_m.gguf')).toBe('q4_k_m');
  });

  test('without a usual one the smallest of at least four bits per weight is chosen, else the largest', async () => {
    const typed = (type: number, elements: number, bytes: number) =>
      tinyGguf({}, { tensors: [{ name: 'w', dimensions: [256, 4], type, block: { elements, bytes } }] });
    await put(['m-q2_k.gguf'], typed(10, 256, 84));
    await put(['m-iq1_s.gguf'], typed(19, 256, 50));
    await put(['m-iq4_xs.gguf'], Buffer.from('broken'));
    const choose = async () => chooseVariant((await open()).models()[0]!).quantization;
    expect(await choose()).toBe('q2_k');
    await put(['m-f16.gguf'], typed(1, 1, 2));
    expect(await choose()).toBe('f16');
    await put(['m-q6_k.gguf'], typed(14, 256, 210));
    expect(await choose()).toBe('q6_k');
  });

  test('a named variant is found in any case and with or without UD', async () => {
    await put(['m-UD-Q4_K_XL.gguf', 'm-f16.gguf']);
    const model = (await open()).models()[0]!;
    expect(chooseVariant(model, 'Q4_K_XL').id).toBe('m:ud-q4_k_xl');
    expect(chooseVariant(model, 'FP16').id).toBe('m:f16');
    expect(failure(() => chooseVariant(model, 'q3_k')).code).toBe('model_not_found');
  });

  test('an unusable variant is refused with its reason when it is the only one or named', async () => {
    await put(['bad-q4_0.gguf'], Buffer.from('GGUF'));
    await put(['m-q4_0.gguf'], Buffer.alloc(0));
    await put(['m-q8_0.gguf']);
    const [bad, mixed] = (await open()).models();
    expect(failure(() => chooseVariant(bad!))).toMatchObject({
      code: 'invalid_model_file',
      status: 422,
      details: { reason: 'truncated' },
    });
    expect(failure(() => chooseVariant(mixed!, 'q4_0'))).toMatchObject({
      code: 'invalid_model_file',
      details: { reason: 'empty' },
    });
    expect(chooseVariant(mixed!).quantization).toBe('q8_0');
  });

  test('the same variant twice: the first by path has the name, the other the one of its folder', async () => {
    await put(['b/m-q4_0.gguf', 'b/m-q8_0.gguf', 'a/M-Q4_0.gguf']);
    const catalog = await open();
    const ids = catalog.models().map((model) => model.variants.map(({ id, files }) => [id, files[0]]));
    expect(ids).toEqual([
      [['b/m:q4_0', 'b/m-q4_0.gguf']],
      [
        ['M:q4_0', 'a/M-Q4_0.gguf'],
        ['M:q8_0', 'b/m-q8_0.gguf'],
      ],
    ]);
    for (const name of ['b/m', 'B/M:Q4_0', 'b/m-q4_0']) {
      expect(catalog.resolve(name).model.variants[0]?.files).toEqual(['b/m-q4_0.gguf']);
    }
    expect(catalog.resolve('a/m-q4_0').variant?.id).toBe('M:q4_0');
    expect(catalog.resolve('b/m-q8_0').variant?.id).toBe('M:q8_0');
  });

  test.each<[string, string[], Record<string, string>]>([
    ['higher up', ['a/m-q4_0.gguf', 'm-q4_0.gguf'], { m: 'm-q4_0.gguf', 'a/m': 'a/m-q4_0.gguf' }],
    ['in one folder, by another sign', ['m-q4_0.gguf', 'm.q4_0.gguf'], { m: 'm-q4_0.gguf', 'm.q4_0': 'm.q4_0.gguf' }],
    ['in other letters', ['M-q4_0.gguf', 'm-q4_0.gguf'], { m: 'M-q4_0.gguf', 'm-q4_0.gguf': 'm-q4_0.gguf' }],
    ['with accents written otherwise', ['e\u0301.gguf', '\u00e9.gguf'], { é: 'e\u0301.gguf', 'é.gguf': '\u00e9.gguf' }],
    ['in three folders', ['a/m.gguf', 'b/m.gguf', 'b/c/m.gguf'], { 'b/m': 'b/m.gguf', 'b/c/m': 'b/c/m.gguf' }],
  ])('two files of one name %s both have one', async (_title, files, expected) => {
    await put(files);
    const catalog = await open();
    const names = catalog.models().map(({ name }) => name);
    expect(new Set(names).size).toBe(files.length);
    for (const name of names) expect(catalog.resolve(name).model.name).toBe(name);
    for (const [name, file] of Object.entries(expected))
      expect(catalog.resolve(name).model.variants[0]?.files).toEqual([file]);
    expect(catalog.models().flatMap(({ variants }) => variants.map(({ invalidReason }) => invalidReason))).toEqual(
      files.map(() => null),
    );
  });

  test('a broken file does not take the name of a good one', async () => {
    await put(['a/m-q4_0.gguf'], Buffer.from('broken'));
    await put(['b/m-q4_0.gguf']);
    const catalog = await open();
    expect(chooseVariant(catalog.resolve('m').model).files).toEqual(['b/m-q4_0.gguf']);
    expect(catalog.resolve('a/m').model.variants[0]?.invalidCode).toBe('not_gguf');
  });

  test('a split model is one variant whose size is that of all parts', async () => {
    for (const no of [2, 0, 1]) await put([`big-q4_0-0000${no + 1}-of-00003.gguf`], part(no, 3));
    const [model] = (await open()).models();
    const [variant] = model!.variants;
    expect(variant).toMatchObject({ id: 'big:q4_0', stem: 'big-q4_0', invalidReason: null, facts: { tensorCount: 3 } });
    expect(variant?.files).toEqual([1, 2, 3].map((no) => `big-q4_0-0000${no}-of-00003.gguf`));
    expect(variant?.filePath).toBe(join(folder, 'big-q4_0-00001-of-00003.gguf'));
    expect(variant?.sizeBytes).toBe(variant?.facts?.sizeBytes);
  });

  test.each<[string, Record<string, Buffer>, string]>([
    ['a missing part', { 'm-00001-of-00002.gguf': part(0, 2) }, 'split_part_missing'],
    ['a missing first part', { 'm-00002-of-00002.gguf': part(1, 2) }, 'split_part_missing'],
    ['swapped parts', { 'm-00001-of-00002.gguf': part(1, 2), 'm-00002-of-00002.gguf': part(0, 2) }, 'bad_split'],
    ['99,999 parts', { 'm-00001-of-99999.gguf': part(0, 2) }, 'split_part_missing'],
    ['no parts', { 'm-00001-of-00000.gguf': part(0, 2) }, 'bad_split'],
    ['a part under another name', { 'm.gguf': part(0, 2) }, 'bad_split'],
    ['a broken part', { 'm-00001-of-00002.gguf': part(0, 2), 'm-00002-of-00002.gguf': Buffer.from('x') }, 'not_gguf'],
  ])('a split model with %s is listed as invalid', async (_title, files, code) => {
    for (const [file, content] of Object.entries(files)) await put([file], content);
    const [model] = (await open()).models();
    expect(model?.variants.map((variant) => variant.invalidCode)).toEqual([code]);
  });
});

describe('the scan', () => {
  test('broken files are listed with their reasons beside good ones', async () => {
    await put(['empty.gguf'], Buffer.alloc(0));
    await put(['page.gguf'], Buffer.from('<html>not found</html>'));
    await put(['half.gguf'], tinyGguf().subarray(0, 300));
    await put(['vocabulary.gguf'], writeGguf({ metadata: tinyMetadata() }));
    await put(['good.gguf']);
    const catalog = await open();
    const codes = catalog.models().map((model) => [model.name, model.variants[0]?.invalidCode]);
    expect(codes).toEqual([
      ['empty', 'empty'],
      ['good', null],
      ['half', 'truncated'],
      ['page', 'not_gguf'],
      ['vocabulary', 'no_tensors'],
    ]);
    expect(catalog.resolve('page').model.variants[0]).toMatchObject({
      facts: null,
      invalidReason: 'not_gguf: The file is not a GGUF model.',
    });
  });

  test.each<[string, [string, GgufValue][], string]>([
    [
      'lora.gguf',
      [
        ['general.type', { text: 'adapter' }],
        ['adapter.type', { text: 'lora' }],
      ],
      'adapter',
    ],
    ['vision.gguf', [['general.type', { text: 'mmproj' }]], 'projector'],
    ['matrix.gguf', [['general.type', { text: 'imatrix' }]], 'imatrix'],
    ['mmproj-m-f16.gguf', [], 'projector'],
    ['decider.gguf', [['llama.decision.type', { text: 'laya' }]], 'decision_head'],
  ])('%s is listed as what it is', async (file, metadata, code) => {
    await put(
      [file],
      writeGguf({ metadata: [...tinyMetadata(), ...metadata], tensors: [{ name: 'w', dimensions: [8, 8] }] }),
    );
    const [model] = (await open()).models();
    expect(model?.variants[0]?.invalidCode).toBe(code);
  });

  test('a file whose name is no text is listed with the reason', async () => {
    await put(['good.gguf']);
    await writeFile(
      Buffer.concat([Buffer.from(`${folder}/bad`), Buffer.from([0xff, 0xfe]), Buffer.from('.gguf')]),
      tinyGguf(),
    );
    const catalog = await open();
    const codes = catalog.models().map(({ name, variants }) => [name, variants[0]?.invalidCode]);
    expect(codes).toEqual([
      ['bad\ufffd\ufffd', 'bad_file_name'],
      ['good', null],
    ]);
    expect(catalog.resolve('bad\ufffd\ufffd').model.name).toBe('bad\ufffd\ufffd');
  });

  test('links out of the folder are named, and followed where that is set', async () => {
    await writeFile(join(root, 'outside.gguf'), tinyGguf());
    await symlink(join(root, 'outside.gguf'), join(folder, 'es\u001bcape.gguf'));
    const closed = await open();
    expect(closed.models()).toEqual([]);
    expect(closed.leftOut()).toEqual([expect.stringMatching(/es%1Bcape\.gguf leads out .*HEARTH_FOLLOW_LINKS/)]);
    const opened = await open({ followLinks: true });
    expect(opened.models().map(({ name }) => name)).toEqual(['es%1Bcape']);
    expect(opened.leftOut()).toEqual([]);
  });

  test('a folder with too many files lists some and says how many it leaves out', async () => {
    await put(['m-0.gguf']);
    for (let index = 1; index < 2_003; index++) await link(join(folder, 'm-0.gguf'), join(folder, `m-${index}.gguf`));
    const catalog = await open();
    expect(catalog.models()).toHaveLength(2_000);
    expect(catalog.leftOut()).toEqual(['The model folder holds 2003 model files; 2000 are listed, 3 are left out.']);
  });

  test('only regular GGUF files within the folder count', async () => {
    await writeFile(join(root, 'outside.gguf'), tinyGguf());
    await put(['inside.gguf', '.hidden.gguf', '.cache/m.gguf', '._inside.gguf', 'notes.txt', 'deep/er/too.gguf']);
    await mkdir(join(folder, 'folder.gguf'));
    await symlink(join(root, 'outside.gguf'), join(folder, 'escape.gguf'));
    await symlink(root, join(folder, 'up'));
    await symlink(folder, join(folder, 'loop'));
    await symlink('missing', join(folder, 'dangling.gguf'));
    await symlink(join(folder, 'inside.gguf'), join(folder, 'again.gguf'));
    execFileSync('mkfifo', [join(folder, 'pipe.gguf')]);
    const catalog = await open();
    const files = catalog.models().flatMap((model) => model.variants.flatMap((variant) => variant.files));
    expect(files.sort()).toEqual(['deep/er/too.gguf', 'inside.gguf']);
    // A link to a file that is here is another name for it.
    expect(catalog.resolve('again').model.name).toBe('inside');
  });

  test('folders nested too deeply are left out', async () => {
    await put([`${'d/'.repeat(8)}in.gguf`, `${'d/'.repeat(9)}out.gguf`]);
    expect((await open()).models().map((model) => model.name)).toEqual(['in']);
  });

  test('a missing folder gives an empty catalogue', async () => {
    const catalog = await open({ folders: [join(root, 'nowhere')], builtinFile: join(root, 'no.gguf') });
    expect(catalog.models()).toEqual([]);
    expect(failure(() => catalog.resolve('any')).fix).toMatch(/Put a GGUF file/);
  });

  test('an unchanged file is read once, a changed one again, a removed one disappears', async () => {
    await put(['a.gguf', 'b.gguf']);
    const catalog = await open();
    const facts = () => catalog.models().map((model) => model.variants[0]!.facts);
    const before = facts();
    await catalog.refresh();
    expect(facts()[0]).toBe(before[0]);
    await utimes(join(folder, 'b.gguf'), 1, 1);
    await catalog.refresh();
    expect(facts()[0]).toBe(before[0]);
    expect(facts()[1]).not.toBe(before[1]);
    await rm(join(folder, 'a.gguf'));
    await catalog.refresh();
    expect(catalog.models().map((model) => model.name)).toEqual(['b']);
  });

  test('whoever asks during a scan gets one that began after the question', async () => {
    await put(['a.gguf']);
    const catalog = await open();
    const first = catalog.refresh();
    await put(['late.gguf']);
    await Promise.all([catalog.refresh(), catalog.refresh(), first]);
    expect(catalog.models().map((model) => model.name)).toEqual(['a', 'late']);
  });
});
