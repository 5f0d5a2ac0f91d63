import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { checkRevision, type FindEntry, isSafePath, parsePullName } from '../../../src/store/hub/pull-name.ts';
import { readPullCatalog } from '../../../src/store/pull-catalog/pull-catalog.ts';

const find: FindEntry = (name) =>
  name.toLowerCase() === 'small'
    ? {
        name: 'small',
        repository: 'maker/small-GGUF',
        variants: [
          { quantization: 'q4_k_m', files: [{ path: 'small-q4_k_m.gguf' }] },
          { quantization: 'q8_0', files: [{ path: 'small-1-of-2.gguf' }, { path: 'small-2-of-2.gguf' }] },
        ],
      }
    : null;

const reasonOf = (run: () => unknown): AppError => {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('a name to pull', () => {
  it.each([
    ['hf.co/maker/tiny-GGUF:Q4_0', 'maker/tiny-GGUF', 'q4_0', null],
    ['https://huggingface.co/maker/tiny-GGUF', 'maker/tiny-GGUF', null, null],
    ['huggingface.co/maker/tiny-GGUF:latest', 'maker/tiny-GGUF', null, null],
    ['hf:maker/tiny-GGUF:q4_k_m', 'maker/tiny-GGUF', 'q4_k_m', null],
    ['hf:maker/tiny-GGUF', 'maker/tiny-GGUF', null, null],
    ['maker/tiny-GGUF:FP16', 'maker/tiny-GGUF', 'f16', null],
    ['maker/tiny-GGUF/tiny-q4_0.gguf', 'maker/tiny-GGUF', null, ['tiny-q4_0.gguf']],
    ['maker/tiny-GGUF/Q8_0/tiny Q8.gguf', 'maker/tiny-GGUF', null, ['Q8_0/tiny Q8.gguf']],
    ['small', 'maker/small-GGUF', 'q4_k_m', ['small-q4_k_m.gguf']],
    ['Small:q8_0', 'maker/small-GGUF', 'q8_0', ['small-1-of-2.gguf', 'small-2-of-2.gguf']],
    ['small:q2_k', 'maker/small-GGUF', 'q2_k', null],
  ])('%s means %s %s', (name, repository, quantization, paths) => {
    expect(parsePullName(name, find)).toEqual({
      repository,
      quantization,
      isAutomatic: false,
      paths,
      revision: null,
      folder: null,
    });
  });

  it.each([
    ['hf.co/maker/tiny-GGUF:auto', undefined, 'maker/tiny-GGUF', null],
    ['maker/tiny-GGUF', 'AUTO', 'maker/tiny-GGUF', null],
    ['small', 'auto', 'maker/small-GGUF', ['small-q4_k_m.gguf']],
    ['small:auto', undefined, 'maker/small-GGUF', ['small-q4_k_m.gguf']],
  ])('%s with %s leaves the choice to us', (name, quantization, repository, paths) => {
    expect(parsePullName(name, find, { ...(quantization && { quantization }) })).toEqual({
      repository,
      quantization: null,
      isAutomatic: true,
      paths,
      revision: null,
      folder: null,
    });
  });

  it('that left the choice open may be asked for again by what was chosen', () => {
    expect(parsePullName('small:auto', find, { quantization: 'q8_0' })).toMatchObject({
      quantization: 'q8_0',
      isAutomatic: false,
    });
  });

  it('may have the size of a model of the catalogue behind a colon, as other programs write it', () => {
    const sized: FindEntry = (name) => (name === 'qwen2.5-0.5b' ? find('small') : null);
    expect(parsePullName('qwen2.5:0.5b', sized)).toMatchObject({ quantization: 'q4_k_m', isAutomatic: false });
    expect(parsePullName('qwen2.5:0.5b', sized, { quantization: 'auto' })).toMatchObject({
      repository: 'maker/small-GGUF',
      isAutomatic: true,
    });
    expect(reasonOf(() => parsePullName('qwen2.5:1.5b', sized)).code).toBe('model_not_found');
  });

  const repo = 'maker/tiny-GGUF';
  it.each<[string, Partial<ReturnType<typeof parsePullName>>]>([
    [`${repo}/blob/main/tiny-Q8_0.gguf`, { paths: ['tiny-Q8_0.gguf'], revision: 'main' }],
    [`https://huggingface.co/${repo}/blob/main/tiny-Q8_0.gguf`, { paths: ['tiny-Q8_0.gguf'], revision: 'main' }],
    [`https://hf.co/${repo}/resolve/v1/UD/t.gguf?download=true`, { paths: ['UD/t.gguf'], revision: 'v1' }],
    [`huggingface.co/${repo}/raw/main/t.gguf#L1`, { paths: ['t.gguf'], revision: 'main' }],
    [`hf:${repo}/resolve/main/t.gguf?download=true`, { paths: ['t.gguf'], revision: 'main' }],
    [`https://huggingface.co/${repo}/blob/refs%2Fpr%2F3/t.gguf`, { paths: ['t.gguf'], revision: 'refs/pr/3' }],
    [`https://huggingface.co/${repo}/blob/refs/pr/3/t.gguf`, { paths: ['t.gguf'], revision: 'refs/pr/3' }],
    [
      `https://huggingface.co/${repo}/resolve/main/tiny%20(v2)%2C%20new-Q6_K.gguf`,
      { paths: ['tiny (v2), new-Q6_K.gguf'], revision: 'main' },
    ],
    [`${repo}/blob/main/Gr%C3%B6%C3%9Fe.gguf`, { paths: ['Größe.gguf'], revision: 'main' }],
    [`https://huggingface.co/${repo}/tree/main`, { revision: 'main' }],
    [`https://huggingface.co/${repo}/tree/main/UD-Q4_K_XL`, { revision: 'main', folder: 'UD-Q4_K_XL' }],
    [`https://huggingface.co/${repo}/?library=x`, {}],
    [`https://huggingface.co/${repo}?show_file_info=t-Q8_0.gguf`, { paths: ['t-Q8_0.gguf'] }],
    [`https://hub.lan:8443/base/${repo}/blob/main/t.gguf`, { paths: ['t.gguf'], revision: 'main' }],
    [`${repo}/tiny (v2), new [1]-Q6_K.gguf`, { paths: ['tiny (v2), new [1]-Q6_K.gguf'] }],
    [`${repo}/blob/t.gguf`, { paths: ['blob/t.gguf'] }],
  ])('may be the address %s', (name, expected) => {
    const endpoint = new URL('https://hub.lan:8443/base');
    const whole = {
      repository: repo,
      quantization: null,
      isAutomatic: false,
      paths: null,
      revision: null,
      folder: null,
      ...expected,
    };
    expect(parsePullName(name, find, { endpoint })).toEqual(whole);
  });

  it('may have its quantization in a field of its own, which does not contradict it', () => {
    expect(parsePullName('small', find, { quantization: 'Q8_0' }).quantization).toBe('q8_0');
    expect(parsePullName('small:q8_0', find, { quantization: 'Q8_0' }).quantization).toBe('q8_0');
    expect(reasonOf(() => parsePullName('small:q8_0', find, { quantization: 'q4_0' }))).toMatchObject({
      code: 'invalid_request',
      field: 'quantization',
    });
  });

  it.each([
    'a/b/c',
    '../..',
    'a/..',
    'maker/../tiny.gguf',
    'maker/tiny/../x.gguf',
    'maker/tiny/a/../../x.gguf',
    'maker/tiny//x.gguf',
    '/etc/passwd',
    'maker/tiny/x.bin',
    'maker/tiny/a\\b.gguf',
    'maker/tiny/a\0.gguf',
    'maker/tiny/.hidden.gguf',
    'maker/tiny/a/b/c/d/e/f.gguf',
    'maker/ti ny',
    '-maker/tiny',
    'maker/tiny:q4 0',
    'file:///etc/passwd',
    'http://evil.example/x/y.gguf',
    'https://evil.example/maker/tiny/x.gguf',
    'ftp://hf.co/maker/tiny',
    'hf.co/only',
    '',
    `maker/${'x'.repeat(600)}`,
    'maker/ｔｉｎｙ',
    `maker/${'x'.repeat(1_001)}`,
    'maker/tiny/blob/main/%2e%2e/x.gguf',
    'maker/tiny/blob/main/..%2fx.gguf',
    'https://huggingface.co/maker/tiny/blob/main/a%00.gguf',
    'https://huggingface.co/maker/tiny/blob/main/%ff.gguf',
    'https://huggingface.co/datasets/maker/tiny/blob/main/x.gguf',
    `maker/tiny/${'x'.repeat(240)}.gguf`,
  ])('is refused as %j', (name) => {
    expect(reasonOf(() => parsePullName(name, find))).toMatchObject({ code: 'invalid_request', field: 'name' });
  });

  it('that the catalogue does not know is not found', () => {
    expect(reasonOf(() => parsePullName('unknown-model:q4_0', find))).toMatchObject({
      code: 'model_not_found',
      message: 'There is no model unknown-model in the catalogue.',
    });
  });

  it('of every entry of the catalogue leads to a repository and a file', () => {
    const catalog = readPullCatalog(new URL('../../../models/catalog.json', import.meta.url));
    expect(catalog.models.length).toBeGreaterThan(5);
    for (const model of catalog.models) {
      const target = parsePullName(model.name, catalog.find);
      expect(target).toMatchObject({ repository: model.repository, quantization: model.variants[0]!.quantization });
      expect(target.paths?.every(isSafePath)).toBe(true);
    }
  });
});

describe('a revision', () => {
  it.each(['main', 'v1.0', 'refs/pr/3', '0123456789abcdef'])('may be %s', (revision) => {
    expect(checkRevision(revision)).toBe(revision);
  });

  it.each(['../main', '', 'a//b', 'main/', '-x', 'a b', 'a?b', 'x'.repeat(200)])('is refused as %j', (revision) => {
    expect(reasonOf(() => checkRevision(revision))).toMatchObject({ code: 'invalid_request', field: 'revision' });
  });
});
