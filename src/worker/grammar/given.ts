import { AppError } from '../../core/errors.ts';
import { limits } from './gbnf/gbnf.ts';

/** A person writes less; a larger one takes llama.cpp long to read, in the middle of everyone's steps. */
const maxCharacters = 64 * 1024;

/**
 * A grammar that a client wrote, as it is, once it is sure that llama.cpp's parser survives it: that one recurses in native
 * code, and unfolds repetitions. Whether it is a grammar at all is for the parser to say.
 * Throws `invalid_request` for one that is too long, too deep or repeats too often.
 */
export function checkGivenGrammar(gbnf: string): string {
  if (gbnf.length > maxCharacters) throw refuse(`is longer than ${maxCharacters / 1024} KiB`);
  // Literals, classes and comments hold brackets that nest nothing.
  const bare = gbnf.replace(/"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|#[^\n]*/g, ' ');
  let depth = 0;
  for (const character of bare) {
    if (character === '(') depth++;
    else if (character === ')') depth--;
    if (depth > limits.depth) throw refuse(`is nested deeper than ${limits.depth} levels`);
  }
  let unfolded = 0;
  for (const [, least = '', most = ''] of bare.matchAll(/\{\s*(\d+)\s*,?\s*(\d*)\s*\}/g)) {
    const count = Math.max(Number(least), Number(most));
    unfolded += count;
    if (count > limits.engineRepetition) throw refuse(`repeats something more than ${limits.engineRepetition} times`);
    if (unfolded > limits.expandedRules) throw refuse('has too many repetitions');
  }
  return gbnf;
}

function refuse(problem: string): AppError {
  return new AppError('invalid_request', `The grammar ${problem}.`, { field: 'format' });
}
