import { InvalidArgumentError } from 'commander';
import { loopbackUrl } from './client.ts';

/** Parsers of command-line values; each throws what commander prints beside the flag. */

/** A whole number of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('A whole number of at least 1 is needed.');
  return value;
}

/** A number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('A number above 0 is needed.');
  return value;
}

/** Whole numbers with commas between them. */
export function integerList(text: string): number[] {
  return text.split(',').map(positiveInteger);
}

/** The base URL of a server on this machine. */
export function baseUrl(text: string): string {
  try {
    return loopbackUrl(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** `NAME=VALUE`, collected over repetitions of the flag. */
export function variable(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('NAME=VALUE is needed.');
  return { ...earlier, [text.slice(0, equals)]: text.slice(equals + 1) };
}
