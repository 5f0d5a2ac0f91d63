import { describe, expect, it } from 'vitest';
import { nativeCause } from '../../src/ipc/native-cause.ts';

const path = '/srv/my models/private/m.gguf';

describe('the library’s own words for a failure', () => {
  it.each([
    [
      [
        "error: llama_model_load: error loading model: missing tensor 'blk.6.attn_norm.weight'",
        'error: llama_model_load_from_file_impl: failed to load model',
        'load: Error: Failed to load model',
        '    at Object.loadModel (file:///opt/hearth/node_modules/x.js:1:2)',
      ],
      "missing tensor 'blk.6.attn_norm.weight'",
    ],
    [
      ['error: llama_model_load: error loading model: error loading model vocabulary: unknown tokenizer: nope'],
      'error loading model vocabulary: unknown tokenizer: nope',
    ],
    [
      ['warn: a hint', '/home/runner/work/llama.cpp/ggml/src/ops.cpp:3949: GGML_ASSERT(eps >= 0.0f) failed'],
      'GGML_ASSERT(eps >= 0.0f) failed',
    ],
    [
      [`error: gguf_init_from_file: failed to open GGUF file '${path}' (Permission denied).`],
      "failed to open GGUF file 'm.gguf' (Permission denied)",
    ],
    [['error: cannot read /etc/secrets/token and C:\\Users\\me\\x'], 'cannot read (path) and (path)'],
    [['error: a\u001b[31mred\u0007 name\u202e'], 'a [31mred name'],
    [[`error: ${'x'.repeat(1_000)}`], 'x'.repeat(300)],
    [['load: Error: Failed to load model', '    at somewhere'], null],
    [[], null],
  ])('is found in %j', (lines, words) => {
    expect(nativeCause(lines, path)).toBe(words);
  });
});
