import { AppError } from '../../../core/errors.ts';
import { limits } from '../gbnf/gbnf.ts';
import { hasTooManyReadings } from './ambiguity.ts';
import { readRules } from './read.ts';

/** A person writes less; a larger one takes llama.cpp long to read, in the middle of everyone's steps. */
const maxCharacters = 64 * 1024;
/** Every rule is compared with those around it. */
const maxRules = 500;

/** What helps where a grammar is none. */
export const readable = "Write it in llama.cpp's GBNF, with a rule root and without left recursion.";

/**
 * A grammar that a client wrote, as it is, once llama.cpp is likely to survive it: its parser recurses in native code and
 * unfolds repetitions, and its matcher has no limit for the readings of a text. Whether it is a grammar at all is for the
 * parser to say in the end.
 * Throws `invalid_request` for one that is too long, too deep, repeats too often or can be read in too many ways.
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
  const rules = readRules(gbnf);
  if (rules === null) throw refuse('cannot be read', readable);
  if (rules.size > maxRules) throw refuse(`has more than ${maxRules} rules`);
  if (hasTooManyReadings(rules, limits.openParses)) {
    throw refuse(
      'lets one text be read in too many ways',
      'Let alternatives that go on in the same rule begin differently, and repeat nothing that may be empty.',
    );
  }
  return gbnf;
}

function refuse(problem: string, fix?: string): AppError {
  return new AppError('invalid_request', `The grammar ${problem}.`, {
    field: 'format',
    ...(fix !== undefined && { fix }),
  });
}
