import { describe, expect, it } from 'vitest';
import { assertPurpose } from '../../../src/engine/planning/purpose.ts';

describe('what a model is asked for', () => {
  it('is no error when it is what was asked for', () => {
    for (const purpose of ['generate', 'embed', 'rank'] as const) {
      expect(() => assertPurpose('m', purpose, purpose)).not.toThrow();
    }
  });

  it.each([
    ['embed', 'generate', 'invalid_request', /only makes embeddings/],
    ['rank', 'generate', 'invalid_request', /only ranks documents/],
    ['generate', 'embed', 'invalid_request', /makes no embeddings/],
    ['rank', 'embed', 'invalid_request', /makes no embeddings/],
    ['generate', 'rank', 'invalid_request', /cannot rank/],
    ['embed', 'rank', 'invalid_request', /cannot rank/],
  ] as const)('%s: asked to %s it is %s, with a way out', (made, asked, code, message) => {
    expect(() => assertPurpose('m', made, asked)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(message),
        field: 'model',
        // Whoever asks may speak any dialect, so no endpoint is named.
        fix: expect.not.stringContaining('/'),
        details: { model: 'm', purpose: made },
      }),
    );
  });
});
