import { describe, expect, it } from 'vitest';
import { chooseFiles } from '../../../src/store/hub/choose-files.ts';
import type { HubFile } from '../../../src/store/hub/hub.ts';

const file = (path: string, sizeBytes = 100): HubFile => ({
  path,
  sizeBytes,
  hash: { algorithm: 'sha256', digest: 'a'.repeat(64) },
});
const repository = 'maker/model-GGUF';
const target = (quantization: string | null = null, paths: string[] | null = null) => ({
  repository,
  quantization,
  isAutomatic: false,
  paths,
  revision: null,
  folder: null as string | null,
});
const chosen = (files: HubFile[], wanted: ReturnType<typeof target>) =>
  chooseFiles(files, wanted).files.map(({ path }) => path);
const failure = (run: () => unknown) => {
  try {
    run();
    return null;
  } catch (error) {
    return error;
  }
};

describe('the files of a repository', () => {
  const usual = [
    'M-Q2_K.gguf',
    'M-Q4_0.gguf',
    'M-Q4_K_M.gguf',
    'M-UD-Q6_K_XL.gguf',
    'mmproj-M-f16.gguf',
    'M-imatrix.gguf',
  ];

  it.each([
    [null, 'M-Q4_K_M.gguf'],
    ['q4_0', 'M-Q4_0.gguf'],
    ['q6_k_xl', 'M-UD-Q6_K_XL.gguf'],
  ])('are chosen by the quantization %s', (quantization, path) => {
    expect(
      chosen(
        usual.map((name) => file(name)),
        target(quantization),
      ),
    ).toEqual([path]);
  });

  it('are those of the folder whose page was named', () => {
    const files = [file('M-Q4_K_M.gguf'), file('UD/M-Q8_0.gguf')];
    expect(chosen(files, { ...target(), folder: 'UD' })).toEqual(['UD/M-Q8_0.gguf']);
    expect(failure(() => chosen(files, { ...target(), folder: 'U' }))).toMatchObject({ code: 'model_not_found' });
  });

  it('may have any name, in either way of writing accents', () => {
    const odd = ['tiny (v2), new-Q6_K.gguf', 'Gro\u0308\u00dfe-Q8_0.gguf'];
    const files = odd.map((name) => file(name));
    expect(chosen(files, target('q6_k'))).toEqual([odd[0]]);
    expect(chosen(files, target(null, ['Gr\u00f6\u00dfe-Q8_0.gguf']))).toEqual([odd[1]]);
  });

  it('that are no models are refused as what they are', () => {
    const files = [file('M-Q4_0.gguf'), file('mmproj-M-f16.gguf')];
    expect(failure(() => chosen(files, target(null, ['mmproj-M-f16.gguf'])))).toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('projector'),
    });
  });

  it('without a usual quantization are the smallest', () => {
    expect(chosen([file('M-Q6_K.gguf', 9), file('M-IQ3_M.gguf', 5), file('M-BF16.gguf', 20)], target())).toEqual([
      'M-IQ3_M.gguf',
    ]);
  });

  it('are the usual ones of those that fit where the choice is ours, and none other where nothing fits', () => {
    const files = [file('M-Q4_K_M.gguf', 900), file('M-Q4_0.gguf', 500), file('M-Q2_K.gguf', 300)];
    const automatic = { ...target(), isAutomatic: true };
    const labelled = (mostBytes: number) => chooseFiles(files, automatic, (bytes) => bytes <= mostBytes).quantization;
    expect([1_000, 600, 100].map(labelled)).toEqual(['q4_k_m', 'q4_0', 'q4_k_m']);
    expect(chooseFiles(files, target(), () => false).quantization).toBe('q4_k_m');
    const handPicked = { ...automatic, paths: ['M-Q4_0.gguf'] };
    const picked = (mostBytes: number) => chooseFiles(files, handPicked, (bytes) => bytes <= mostBytes).quantization;
    expect([1_000, 400].map(picked)).toEqual(['q4_0', 'q2_k']);
    expect(chooseFiles(files, automatic)).toMatchObject({ isAutomatic: true, all: [{ quantization: 'q2_k' }, {}, {}] });
  });

  it('are those of the file that was named, whatever it is called', () => {
    expect(chooseFiles([file('x/model.gguf'), file('M-Q4_0.gguf')], target(null, ['x/model.gguf']))).toMatchObject({
      model: 'model',
      quantization: 'unknown',
    });
  });

  it('of a split model are all its parts in order, whichever was named', () => {
    const parts = ['M-Q4_0-00002-of-00002.gguf', 'M-Q4_0-00001-of-00002.gguf'].map((name) => file(`Q4_0/${name}`));
    const paths = ['Q4_0/M-Q4_0-00001-of-00002.gguf', 'Q4_0/M-Q4_0-00002-of-00002.gguf'];
    expect(chosen(parts, target('q4_0'))).toEqual(paths);
    expect(chosen(parts, target(null, [paths[1]!]))).toEqual(paths);
  });

  it('that the catalogue names otherwise than the repository are found by quantization', () => {
    expect(chosen([file('M-new-Q4_0.gguf')], target('q4_0', ['M-old-Q4_0.gguf']))).toEqual(['M-new-Q4_0.gguf']);
  });

  it('at the top win over copies in folders', () => {
    expect(chosen([file('old/M-Q4_0.gguf'), file('M-Q4_0.gguf')], target('q4_0'))).toEqual(['M-Q4_0.gguf']);
  });

  it.each([
    ['none', [], target(), { code: 'model_not_found' }],
    ['no such quantization', [file('M-Q4_0.gguf')], target('q8_0'), { code: 'model_not_found', fix: 'It has q4_0.' }],
    ['no such file', [file('M-Q4_0.gguf')], target(null, ['x.gguf']), { fix: 'Files that are there: M-Q4_0.gguf.' }],
    [
      'two models',
      [file('A-Q4_0.gguf'), file('B-Q4_0.gguf')],
      target('q4_0'),
      { code: 'invalid_request', fix: 'Name one file: A-Q4_0.gguf, B-Q4_0.gguf.' },
    ],
    [
      'a part missing',
      [file('M-Q4_0-00001-of-00003.gguf'), file('M-Q4_0-00003-of-00003.gguf')],
      target('q4_0'),
      { code: 'hub_answer_invalid', details: { reason: 'part_missing' } },
    ],
    [
      '65 parts',
      [file('M-Q4_0-00001-of-00065.gguf')],
      target('q4_0'),
      { code: 'hub_answer_invalid', details: { reason: 'too_many_parts' } },
    ],
  ])('are refused with %s', (_what, files, wanted, expected) => {
    expect(failure(() => chooseFiles(files, wanted))).toMatchObject(expected);
  });
});
