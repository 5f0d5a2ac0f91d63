import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';

/** Bounds of all sizes, with few and many digits. */
const wholes = fc.oneof(
  fc.integer({ min: -30, max: 30 }),
  fc.integer({ min: -2000, max: 2000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 9, 10, 99, 100, -1, -10, 999999, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
);
const decimals = fc.oneof(
  fc.integer({ min: -20_000, max: 20_000 }).map((value) => value / 100),
  fc.integer({ min: -99, max: 99 }).map((value) => value / 10),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.constantFrom(0, 1, 0.5, 1e-7, 1e-20, -1e-7, 0.1 + 0.2, 99.99, 1e15, -1e15),
);

const low = fc.constantFrom('minimum', 'exclusiveMinimum', 'none');
const high = fc.constantFrom('maximum', 'exclusiveMaximum', 'none');

function rangeOf(a: number, b: number, lowWord: string, highWord: string): Record<string, number> {
  return {
    ...(lowWord !== 'none' && { [lowWord]: Math.min(a, b) }),
    ...(highWord !== 'none' && { [highWord]: Math.max(a, b) }),
  };
}

function holds(value: number, range: Record<string, number>): boolean {
  return (
    !(value < (range['minimum'] ?? Number.NEGATIVE_INFINITY)) &&
    !(value <= (range['exclusiveMinimum'] ?? Number.NEGATIVE_INFINITY)) &&
    !(value > (range['maximum'] ?? Number.POSITIVE_INFINITY)) &&
    !(value >= (range['exclusiveMaximum'] ?? Number.POSITIVE_INFINITY))
  );
}

/** The grammar, or null where the range was refused as empty. */
function grammarOf(schema: object) {
  try {
    return readGbnf(schemaToGrammar(schema));
  } catch (error) {
    if (error instanceof AppError && error.message.includes('no number')) return null;
    throw error;
  }
}

describe('a range of integers', () => {
  it('holds exactly the integers between its bounds', () => {
    fc.assert(
      fc.property(wholes, wholes, low, high, fc.array(wholes), (a, b, lowWord, highWord, others) => {
        const range = rangeOf(a, b, lowWord, highWord);
        const grammar = grammarOf({ type: 'integer', ...range });
        const near = [a, b].flatMap((bound) => [bound - 10, bound - 1, bound, bound + 1, bound + 10]);
        for (const value of [...near, ...others].filter(Number.isSafeInteger)) {
          expect([value, grammar?.accepts(String(value)) ?? false]).toEqual([value, holds(value, range)]);
        }
      }),
    );
  });

  it('writes only integers between its bounds, also next to fractions', () => {
    fc.assert(
      fc.property(decimals, decimals, low, high, fc.integer(), (a, b, lowWord, highWord, seed) => {
        const range = rangeOf(a, b, lowWord, highWord);
        const text = grammarOf({ type: 'integer', ...range })?.generate(randomFrom(seed));
        if (text === undefined) return;
        expect(text).toMatch(/^-?(0|[1-9]\d*)$/);
        expect([text, holds(Number(text), range)]).toEqual([text, true]);
      }),
    );
  });
});

describe('a range of numbers', () => {
  it('writes only numbers between its bounds', () => {
    fc.assert(
      fc.property(decimals, decimals, low, high, fc.integer(), (a, b, lowWord, highWord, seed) => {
        const range = rangeOf(a, b, lowWord, highWord);
        const grammar = grammarOf({ type: 'number', ...range });
        const random = randomFrom(seed);
        for (let count = 0; grammar !== null && count < 5; count++) {
          const text = grammar.generate(random);
          expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/);
          expect([text, holds(Number(text), range)]).toEqual([text, true]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes a number with two decimals exactly when it lies between the bounds', () => {
    const cents = fc.integer({ min: -3_000, max: 3_000 }).map((value) => value / 100);
    fc.assert(
      fc.property(cents, cents, low, high, fc.array(cents), (a, b, lowWord, highWord, others) => {
        const range = rangeOf(a, b, lowWord, highWord);
        const grammar = grammarOf({ type: 'number', ...range });
        const near = [a, b].flatMap((bound) => [bound - 0.01, bound, bound + 0.01]);
        for (const value of [...near, ...others]) {
          // Without "-0.00", which has the sign of no number.
          const text = value === 0 ? '0.00' : value.toFixed(2);
          if (Number(text) === 0 && text.startsWith('-')) continue;
          expect([text, grammar?.accepts(text) ?? false]).toEqual([text, holds(Number(text), range)]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['a bound that nothing reaches is no bound', { type: 'number', minimum: -3.4e38, maximum: 3.4e38 }, '12.5', true],
    ['a bound of 64-bit integers is no bound', { type: 'integer', maximum: 2 ** 63, minimum: -(2 ** 63) }, '-12', true],
    ['the last safe integer is a bound', { type: 'integer', maximum: 2 ** 53 - 1 }, '9007199254740992', false],
  ])('%s', (_name, schema, text, verdict) => {
    expect(readGbnf(schemaToGrammar(schema)).accepts(text)).toBe(verdict);
  });

  it('is refused where it begins beyond sixteen digits', () => {
    expect(() => schemaToGrammar({ type: 'integer', minimum: 1e17 })).toThrow('no number');
  });
});
