import { describe, expect, it } from 'vitest';
import { turnEndTexts } from '../../../src/worker/families/ends.ts';
import { createTextStream } from '../../../src/worker/text/text-stream.ts';
import { createVocabulary, showControls } from '../../../src/worker/text/vocabulary.ts';

const vocabulary = createVocabulary({
  model: 'gpt2',
  tokens: ['a', '[TOOL_CALLS]', '<|im_end|>', '<think>'],
  types: [1, 3, 3, 4],
});

describe('control tokens of a family', () => {
  it('are text where they mark calls, and nothing elsewhere', () => {
    const read = (shown: string[]) => {
      const stream = createTextStream(showControls(vocabulary, shown), () => '');
      return [0, 1, 2, 3].map((token) => stream.push(token)).join('') + stream.end();
    };
    expect(read(['[TOOL_CALLS]', '<|tool_call>'])).toBe('a[TOOL_CALLS]<think>');
    expect(read([])).toBe('a<think>');
  });

  it('are known by their text, which ordinary and added tokens are not', () => {
    expect([0, 1, 2, 3, 9].map((token) => vocabulary.controlTextOf(token))).toEqual([
      null,
      '[TOOL_CALLS]',
      '<|im_end|>',
      null,
      null,
    ]);
  });

  it('end an answer when the template ends turns with them and the vocabulary has them as control tokens', () => {
    const template = "{{ '<|user|>' + m.content + '<|observation|>' + '</s>' }}";
    expect(turnEndTexts(template, ['<|user|>', '<|observation|>', '<|im_end|>'])).toEqual([
      '<|user|>',
      '<|observation|>',
    ]);
    expect(turnEndTexts(template, [])).toEqual([]);
  });
});
