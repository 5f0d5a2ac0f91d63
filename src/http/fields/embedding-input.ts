import { z } from 'zod';
import { AppError } from '../../core/errors.ts';

/** As many as OpenAI takes. */
const maxInputs = 2048;
/** No vocabulary comes near; the model's own limit is checked where it is known. */
const maxToken = 2 ** 31 - 1;

/** A text and one in token numbers, as a schema says them: for fields whose items are looked at later. */
export const textOrTokens = [
  { type: 'string', minLength: 1 },
  { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0, maximum: maxToken } },
] as const;

/** All forms of an input, as a schema says them. */
export const inputForms = [
  ...textOrTokens,
  { type: 'array' as const, minItems: 1, maxItems: maxInputs, items: { anyOf: [...textOrTokens] } },
];

/**
 * What is to become vectors. The items are looked at in `toInputs`: a schema would collect a complaint for each of a
 * million wrong ones, in every form that the array could have had.
 */
export const inputField = z.union([z.string(), z.array(z.unknown())]).meta({
  override: { anyOf: [...inputForms] },
  description: `A text, an array of at most ${maxInputs} texts, a text as an array of token numbers, or an array of those.`,
  examples: ['The quick brown fox'],
});

/** The texts and token arrays of an `input` field, in order. Throws `invalid_request` that names the item at fault. */
export function toInputs(input: z.infer<typeof inputField>): (string | number[])[] {
  if (typeof input === 'string') return [checkText(input, 'input')];
  if (typeof input[0] === 'number') return [checkTokens(input, 'input')];
  if (input.length === 0) throw wrong('input', 'is empty');
  if (input.length > maxInputs) throw wrong('input', `has ${input.length} items; at most ${maxInputs} are taken`);
  return input.map((item, index) => {
    const field = `input.${index}`;
    if (typeof item === 'string') return checkText(item, field);
    if (Array.isArray(item)) return checkTokens(item, field);
    throw wrong(field, 'must be a text or an array of token numbers');
  });
}

function checkText(text: string, field: string): string {
  if (text === '') throw wrong(field, 'is empty');
  return text;
}

function checkTokens(items: readonly unknown[], field: string): number[] {
  if (items.length === 0) throw wrong(field, 'is empty');
  return items.map((item, index) => {
    if (typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= maxToken) return item;
    throw wrong(`${field}.${index}`, 'is no token number');
  });
}

function wrong(field: string, problem: string): AppError {
  return new AppError('invalid_request', `"${field}" ${problem}.`, { field });
}
