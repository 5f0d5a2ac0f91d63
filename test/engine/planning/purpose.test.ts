import { describe, expect, it } from 'vitest';
import { assertPurpose, purposeOf, slotsFor } from '../../../src/engine/planning/purpose.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';

const facts = (isEncoder: boolean, poolingType: number | null) => ({ isEncoder, poolingType }) as GgufFacts;

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

  it('is no error when it is what was asked for', () => {
    for (const purpose of ['generate', 'embed', 'rank'] as const) {
      expect(() => assertPurpose('m', purpose, purpose)).not.toThrow();
    }
  });

  it.each([
    ['embed', 'generate', 'invalid_request', /only makes embeddings/],
    ['rank', 'generate', 'invalid_request', /only ranks documents/],
    ['generate', 'embed', 'not_supported', /makes no embeddings/],
    ['rank', 'embed', 'not_supported', /makes no embeddings/],
    ['generate', 'rank', 'not_supported', /cannot rank/],
    ['embed', 'rank', 'not_supported', /cannot rank/],
  ] as const)('%s: asked to %s it is %s, with a way out', (made, asked, code, message) => {
    expect(() => assertPurpose('m', made, asked)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(message),
        field: 'model',
        fix: expect.any(String),
        details: { model: 'm', purpose: made },
      }),
    );
  });
});

describe('the slots of a model', () => {
  it('are the plan’s where it generates, and as wished or four where requests only take turns', () => {
    expect(slotsFor('generate', 2, undefined)).toBe(2);
    expect(slotsFor('generate', 2, 8)).toBe(2);
    expect(slotsFor('embed', 1, undefined)).toBe(4);
    expect(slotsFor('rank', 1, undefined)).toBe(4);
    expect(slotsFor('embed', 1, 2)).toBe(2);
  });
});
