import { describe, expect, it } from 'vitest';
import { purposeOf } from '../../../src/store/gguf/gguf.ts';

const facts = (isEncoder: boolean, poolingType: number | null) => ({ isEncoder, poolingType });

describe('what a model is for', () => {
  it.each([
    ['a chat model', facts(false, null), 'generate'],
    ['a chat model that says it does not pool', facts(false, 0), 'generate'],
    ['an encoder with mean pooling', facts(true, 1), 'embed'],
    ['an encoder that does not say how it pools', facts(true, null), 'embed'],
    ['a causal model that pools its last token', facts(false, 3), 'embed'],
    ['a causal model with mean pooling, which needs the whole text in one batch', facts(false, 1), 'generate'],
    ['an encoder with a ranking head', facts(true, 4), 'rank'],
    ['a causal model with a ranking head', facts(false, 4), 'rank'],
  ] as const)('%s: %s', (_title, header, expected) => {
    expect(purposeOf(header)).toBe(expected);
  });
});
