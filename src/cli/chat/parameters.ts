import { readFileSync } from 'node:fs';
import { AppError } from '../../core/errors.ts';

/** The parameters of an answer, by Ollama's names, and what they are. */
const parameters = {
  temperature: 'number',
  top_p: 'number',
  top_k: 'whole number',
  min_p: 'number',
  typical_p: 'number',
  seed: 'whole number',
  repeat_penalty: 'number',
  repeat_last_n: 'whole number',
  frequency_penalty: 'number',
  presence_penalty: 'number',
  num_predict: 'whole number',
  num_ctx: 'whole number',
  stop: 'text',
} as const;

/** Other names that people try. */
const otherNames: Readonly<Record<string, keyof typeof parameters>> = {
  max_tokens: 'num_predict',
  context: 'num_ctx',
  context_length: 'num_ctx',
};

export const parameterNames: readonly string[] = Object.keys(parameters);

/**
 * A parameter as it was typed. The value is null where it is to be as by default (left out, `-` or `default`). Null: there
 * is no such parameter. Throws `invalid_request` for a value that is none. Whether it is in bounds the server says.
 */
export function readParameter(typedName: string, typed: string): { name: string; value: unknown } | null {
  const lower = typedName.toLowerCase();
  const name = Object.hasOwn(otherNames, lower) ? otherNames[lower]! : lower;
  if (!Object.hasOwn(parameters, name)) return null;
  const kind = parameters[name as keyof typeof parameters];
  if (['', '-', 'default'].includes(typed)) return { name, value: null };
  if (kind === 'text') return { name, value: typed.replace(/\\n/g, '\n') };
  const value = Number(typed);
  if (Number.isFinite(value) && (kind === 'number' || Number.isSafeInteger(value))) return { name, value };
  throw new AppError('invalid_request', `${name} is a ${kind}, not "${typed}".`, { field: name });
}

/** `json`, or the path of a file with a JSON schema. Throws `invalid_request` for a file that is none. */
export function readFormat(typed: string): 'json' | Record<string, unknown> {
  if (typed === 'json') return 'json';
  const refuse = (why: string, cause: unknown) =>
    new AppError('invalid_request', `The format is "json" or a file with a JSON schema; ${typed} ${why}.`, { cause });
  let text: string;
  try {
    text = readFileSync(typed, 'utf8');
  } catch (error) {
    throw refuse('cannot be read', error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse('is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('holds no object', null);
  return value as Record<string, unknown>;
}
