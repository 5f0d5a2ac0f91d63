import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTextStream } from '../../../src/worker/text/text-stream.ts';
import { createVocabulary } from '../../../src/worker/text/vocabulary.ts';

const noDetokenizer = () => {
  throw new Error('the library must not be asked');
};

/** Characters that GPT-2's alphabet uses for the bytes of a text. */
function gpt2Spelling(text: string): string {
  const moved: string[] = [];
  const alphabet: string[] = [];
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    if (printable) alphabet[byte] = String.fromCharCode(byte);
    else {
      alphabet[byte] = String.fromCharCode(256 + moved.length);
      moved.push(alphabet[byte]!);
    }
  }
  return [...new TextEncoder().encode(text)].map((byte) => alphabet[byte]).join('');
}

describe('streaming text from tokens', () => {
  it('holds the bytes of a character back until it is whole', () => {
    // One token per byte, as SentencePiece falls back for characters it does not know.
    const bytes = [...new TextEncoder().encode('🙂é')];
    const tokens = bytes.map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    const vocabulary = createVocabulary({ model: 'llama', tokens, types: tokens.map(() => 6) });
    const stream = createTextStream(vocabulary, noDetokenizer);
    expect(tokens.map((_, token) => stream.push(token))).toEqual(['', '', '', '🙂', '', 'é']);
    expect(stream.end()).toBe('');
  });

  it('ends a character that never became whole with one replacement character', () => {
    const vocabulary = createVocabulary({ model: 'llama', tokens: ['<0xF0>', '<0x9F>'], types: [6, 6] });
    const stream = createTextStream(vocabulary, noDetokenizer);
    expect(stream.push(0) + stream.push(1)).toBe('');
    expect(stream.end()).toBe('\ufffd');
  });

  it('puts that replacement before plain text that follows, and goes on with plain text', () => {
    const tokens = ['<0xF0>', 'a', '<0xC3>', '<0xA9>', 'b', '<s>', 'c'];
    const types = [6, 1, 6, 6, 1, 3, 1];
    const stream = createTextStream(createVocabulary({ model: 'llama', tokens, types }), noDetokenizer);
    expect([0, 1, 1, 2, 3, 4, 5, 2, 5, 6].map((token) => stream.push(token))).toEqual([
      '',
      '\ufffda',
      'a',
      '',
      'é',
      'b',
      '',
      '',
      '',
      '\ufffdc',
    ]);
  });

  it('gives the same text for any way of cutting it into byte-level tokens', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.array(fc.integer({ min: 1, max: 5 })),
        (text, cuts) => {
          const spelled = gpt2Spelling(text);
          const tokens: string[] = [];
          for (let at = 0, cut = 0; at < spelled.length; at += cuts[cut % cuts.length] ?? 1, cut++) {
            tokens.push(spelled.slice(at, at + (cuts[cut % cuts.length] ?? 1)));
          }
          const stream = createTextStream(createVocabulary({ model: 'gpt2', tokens, types: null }), noDetokenizer);
          expect(tokens.map((_, token) => stream.push(token)).join('') + stream.end()).toBe(text);
        },
      ),
    );
  });

  it('writes a space for the SentencePiece mark and nothing for control tokens', () => {
    const vocabulary = createVocabulary({
      model: 'llama',
      tokens: ['\u2581Hello', '<|im_end|>', '\u2581\u2581you', '<tool_call>'],
      types: [1, 3, 1, 4],
    });
    const stream = createTextStream(vocabulary, noDetokenizer);
    expect([0, 1, 2, 3].map((token) => stream.push(token)).join('')).toBe(' Hello  you<tool_call>');
    expect(vocabulary.controlTexts).toEqual(['<|im_end|>']);
    expect(vocabulary.userDefinedTexts).toEqual(['<tool_call>']);
  });

  it('asks the library for tokens of a vocabulary it does not know, and waits for the rest of a character', () => {
    const vocabulary = createVocabulary({ model: 'other', tokens: ['a', 'b'], types: null });
    const stream = createTextStream(vocabulary, (tokens) => (tokens.length === 1 ? '\ufffd' : 'ж'));
    expect(stream.push(0)).toBe('');
    expect(stream.push(1)).toBe('ж');
  });
});
