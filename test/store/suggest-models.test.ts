import { describe, expect, it } from 'vitest';
import { suggestModels } from '../../src/store/suggest-models.ts';
import { availableModel } from '../support/fake-store.ts';

/** A chat model of so many bytes. */
const model = (name: string, sizeBytes: number | null, changes: object = {}) =>
  availableModel({
    name,
    kind: 'chat',
    note: null,
    quantizations: [{ quantization: 'q4_k_m', sizeBytes, onDisk: false }],
    ...changes,
  });
const models = [model('xl', 20e9), model('l', 5e9), model('m', 2e9), model('s', 0.8e9), model('xs', 0.3e9)];
const names = (memoryBytes: number, bytesPerSecond: number, of = models) =>
  suggestModels(of, { memoryBytes, bytesPerSecond }).map(({ name }) => name);

describe('what is suggested', () => {
  it('is the largest that is quick, that can be read along with, and that is bearable', () => {
    expect(names(32e9, 25e9)).toEqual(['s', 'm', 'l']);
    expect(names(32e9, 10e9)).toEqual(['xs', 's', 'm']);
  });

  it('fits the memory', () => {
    expect(names(3e9, 200e9)).toEqual(['xs', 's', 'm']);
    expect(names(0.4e9, 200e9)).toEqual([]);
  });

  it('is the smallest there are on a machine that is slow with all of them', () => {
    expect(names(32e9, 0.5e9)).toEqual(['xs', 's', 'm']);
  });

  it('comes with what it weighs and how fast it is, about', () => {
    expect(suggestModels([model('m', 2e9)], { memoryBytes: 8e9, bytesPerSecond: 25e9 })).toMatchObject([
      { name: 'm', quantization: 'q4_k_m', sizeBytes: 2e9, tokensPerSecond: 12.5 },
    ]);
  });

  it('is, of a mixture of experts, as fast as what a token reads of it', () => {
    const mixture = model('mixture', 18e9, { parameters: 30e9, activeParameters: 3e9 });
    expect(suggestModels([mixture], { memoryBytes: 32e9, bytesPerSecond: 25e9 })).toMatchObject([
      { name: 'mixture', sizeBytes: 18e9, tokensPerSecond: 13.9 },
    ]);
    expect(names(32e9, 25e9, [...models, mixture])).toEqual(['s', 'l', 'mixture']);
    expect(names(16e9, 25e9, [...models, mixture])).toEqual(['s', 'm', 'l']);
  });

  it('leaves out what is for other work, needs a word first, or has no known size', () => {
    const others = [
      model('vectors', 0.1e9, { kind: 'embedding' }),
      model('qwen-coder', 0.1e9),
      model('research', 0.1e9, { note: 'Its licence allows research only.' }),
      model('unknown', null),
    ];
    expect(names(32e9, 25e9, [...others, model('s', 0.8e9)])).toEqual(['s']);
  });
});
