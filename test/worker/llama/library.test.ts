import { describe, expect, it } from 'vitest';
import { acceptsSeveralGuesses } from '../../../src/worker/llama/library.ts';

describe('the inference library', () => {
  it('carries the mend in patches/, or every step would accept one guess at most', () => {
    expect(acceptsSeveralGuesses()).toBe(true);
  });
});
