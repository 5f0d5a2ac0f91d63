import { describe, expect, it } from 'vitest';
import { checkGivenGrammar } from '../../../../src/worker/grammar/given/given.ts';

describe('a grammar of a client', () => {
  const json =
    'root ::= object\n' +
    'value ::= object | array | string | number | ("true" | "false" | "null") ws\n' +
    'object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws\n' +
    'array ::= "[" ws ( value ("," ws value)* )? "]" ws\n' +
    'string ::= "\\"" ( [^"\\\\\\x7F\\x00-\\x1F] | "\\\\" (["\\\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\\"" ws\n' +
    'number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws\n' +
    'ws ::= | " " | "\\n" [ \\t]{0,20}\n';
  const arithmetic =
    'root ::= (expr "=" ws term "\\n")+ # lines\n' +
    'expr ::= term ([-+*/] term)*\n' +
    'term ::= ident | num | "(" ws expr ")" ws\n' +
    'ident ::= [a-z] [a-z0-9_]* ws\n' +
    'num ::= [0-9]+ ws\n' +
    'ws ::= [ \\t\\n]*\n';
  const list = '# a comment\nroot ::= item+\nitem ::= "- " [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ "\\n"\n';
  const older = 'root ::=\n  "[" ws ("a" |\n   "b")? ws "]"\nws ::= ([ \\t\\n] ws)?\n';
  const rules = Array.from({ length: 501 }, (_, index) => `${index === 0 ? 'root' : `r${index}`} ::= "a"`);

  it.each([
    ['two words', 'root ::= "yes" | "no"'],
    ["llama.cpp's own for JSON", json],
    ['arithmetic', arithmetic],
    ['a list', list],
    ['a recursive blank, over several lines', older],
    ['many groups', `root ::= ${'('.repeat(60)}"a"${')'.repeat(60)}`],
    ['brackets in a literal', `root ::= "${'('.repeat(1_000)}"`],
    ['brackets in a class', `root ::= [${'('.repeat(1_000)}]{1,2000}`],
    ['a comment with brackets', 'root ::= "\\"((((" # (((('],
    ['any character', 'root ::= .{1,100} "end"'],
  ])('is taken as it is: %s', (_title, gbnf) => {
    expect(checkGivenGrammar(gbnf)).toBe(gbnf);
  });

  it.each([
    ['deep groups', `root ::= ${'('.repeat(60_000)}`, /deeper/],
    ['repetitions of repetitions', `root ::= "a"${'{1,2000}'.repeat(51)}`, /too many repetitions/],
    ['a long repetition', 'root ::= "a"{0,100000}', /more than 2000 times/],
    ['one without an end', 'root ::= "a"{999999999999}', /more than 2000 times/],
    ['a long text', `root ::= "${'a'.repeat(65_536)}"`, /longer than/],
    ['many rules', rules.join('\n'), /more than 500 rules/],
    ['places that may all be next', 'root ::= (("x"? "y"?){100}){100}', /too many ways/],
    ['the same through rules', 'root ::= a{100}\na ::= b{100}\nb ::= "x"? "y"?', /too many ways/],
    ['optional ones in a row', `root ::= (${'"a"? '.repeat(60)}){60}`, /too many ways/],
    ['recursions that begin alike', 'root ::= "x" root "y" | "x" root "z" | "e"', /too many ways/],
    ['recursions that may be left out', 'root ::= "x" (root "y")? (root "z")?', /too many ways/],
    ['recursions of other rules', 'root ::= a | b | "e"\na ::= "x" root "y"\nb ::= "x" root "z"', /too many ways/],
  ])('never reaches native code that it would break: %s', (_title, gbnf, problem) => {
    expect(() => checkGivenGrammar(gbnf)).toThrow(problem);
  });

  it.each([
    '',
    'root',
    'root ::= (',
    'root ::= "a',
    'root ::= [a',
    'a ::= "b"',
    'root ::= "a" ) "b"',
    'root ::= "\\xZZ"',
    'root = "a"',
  ])('is none: %j', (gbnf) => {
    expect(() => checkGivenGrammar(gbnf)).toThrow(/cannot be read/);
  });
});
