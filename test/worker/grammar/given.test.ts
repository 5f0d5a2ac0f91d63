import { describe, expect, it } from 'vitest';
import { checkGivenGrammar } from '../../../src/worker/grammar/given.ts';

describe('a grammar of a client', () => {
  it.each([
    'root ::= "yes" | "no"',
    `root ::= ${'('.repeat(60)}"a"${')'.repeat(60)}`,
    `root ::= "${'('.repeat(1_000)}"`,
    `root ::= [${'('.repeat(1_000)}]{1,2000}`,
    'root ::= "\\"((((" # (((',
  ])('is taken as it is: %.40s', (gbnf) => {
    expect(checkGivenGrammar(gbnf)).toBe(gbnf);
  });

  it.each([
    [`root ::= ${'('.repeat(60_000)}`, /deeper/],
    [`root ::= "a"${'{1,2000}'.repeat(51)}`, /too many repetitions/],
    ['root ::= "a"{0,100000}', /more than 2000 times/],
    ['root ::= "a"{999999999999}', /more than 2000 times/],
    [`root ::= "${'a'.repeat(65_536)}"`, /longer than/],
  ])('never reaches native code that it would break: %.40s', (gbnf, problem) => {
    expect(() => checkGivenGrammar(gbnf)).toThrow(problem);
  });
});
