import { describe, expect, it } from 'vitest';
import { larkToPattern } from '../../../../../src/http/openai/objects/lark/lark.ts';
import { convertSchema } from '../../../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../../../support/gbnf.ts';

const arithmetic = `
start: expr
expr: term (SP ADD SP term)* -> add
    | term
?term: factor (SP MUL SP factor)*
factor: INT
SP: " "
ADD: "+"
MUL.2: "*"
%import common.INT
`;
const patch = `
// A patch of some files.
start: begin hunk+ end
begin: "*** Begin" LF
end: "*** End" LF?
hunk: add_hunk | delete_hunk
add_hunk: "*** Add: " filename LF ("+" /(.*)/ LF)+
delete_hunk: "*** Delete: " filename LF
filename: /(.+)/
%import common.LF
`;

const cases: { title: string; grammar: string; yes: string[]; no: string[] }[] = [
  { title: 'arithmetic', grammar: arithmetic, yes: ['1', '1 + 22 * 3'], no: ['', '1+2', '1 + ', 'a'] },
  {
    title: 'lines of a patch',
    grammar: patch,
    yes: ['*** Begin\n*** Add: a b.ts\n+one\n+\n*** Delete: c\n*** End', '*** Begin\n*** Delete: c\n*** End\n'],
    no: ['*** Begin\n*** End', '*** Begin\n*** Add: \n+\n*** End', '*** Begin\n*** Add: a\n-x\n*** End'],
  },
  {
    title: 'repetitions, ranges, optional parts and escapes',
    grammar: 'start: A~2 B~1..3 ["-" C] "\\n\\"." /x\\/[0-9]{2}/\nA: "a".."f"\nB: ("x" | "y")\nC: "Ok"i',
    yes: ['abx\n".x/12', 'ffxyx-oK\n".x/00'],
    no: ['ax\n".x/12', 'abx-\n".x/12', 'abx\n"-x/12', 'abxxxx\n".x/12', 'agx\n".x/12'],
  },
  {
    title: 'what is ignored, between tokens and not within them',
    grammar:
      'start: "let" NAME "=" NUMBER\nNAME: LETTER+\nNUMBER: DIGIT+\n%import common (LETTER, DIGIT, WS)\n%ignore WS',
    yes: ['letx=1', ' let x  =\n12 ', 'let abc=1'],
    no: ['let a b = 1', 'let a = 1 2', 'le t a=1'],
  },
  {
    title: 'names of common, under other names',
    grammar: 'start: N "," S\n%import common.SIGNED_NUMBER -> N\n%import common.ESCAPED_STRING -> S\n',
    yes: ['-1.5,"a \\" b"', '3,""'],
    no: ['x,""', '3,"a'],
  },
];

describe('a grammar in the notation of Lark', () => {
  it.each(cases)('describes $title', ({ grammar, yes, no }) => {
    const pattern = new RegExp(`^(?:${larkToPattern(grammar, 'f')})$`, 'u');
    for (const text of yes) expect(pattern.test(text), text).toBe(true);
    for (const text of no) expect(pattern.test(text), text).toBe(false);
  });

  it.each(cases)('holds the argument of a call: $title', ({ grammar }) => {
    const pattern = `^(?:${larkToPattern(grammar, 'f')})$`;
    const { gbnf, open } = convertSchema({ type: 'string', pattern });
    expect(open).toEqual([]);
    const random = randomFrom(3);
    const written = readGbnf(gbnf);
    for (let count = 0; count < 20; count++) {
      const text: unknown = JSON.parse(written.generate(random));
      expect(text).toMatch(new RegExp(pattern, 'u'));
    }
  });

  it.each([
    ['start: "(" start ")" | "x"', 'the rule "start", which refers to itself'],
    ['start: a\na: b\nb: "x" a?', 'the rule "a", which refers to itself'],
    ['start: thing', 'uses "thing", which it does not define'],
    ['begin: "x"', 'no rule "start"'],
    ['start: list{"x"}\nlist{item}: item+', 'a template, "list"'],
    ['start: A\n%import python.NAME -> A', 'imports from "python"'],
    ['start: A\n%import common.NOTHING -> A', 'imports "common.NOTHING"'],
    ['start: A\n%declare A', 'uses "%declare"'],
    ['start: /a/i', 'a regular expression with the flag "i"'],
    ['start: /a(?=b)b/', 'a regular expression with "(?="'],
    ['start: /^a$/', 'a regular expression with "^"'],
    ['start: "a".."bc"', 'a range of more than characters'],
    ['start: ("a"', 'lacks a ")"'],
    ['start: "a" )', 'cannot be read in "start"'],
    ['start: "\\q"', 'the escape "\\q"'],
    ['start "a"', 'lacks a ":"'],
    ['start: "a"\nstart: "b"', 'defines "start" twice'],
    ['start: \u00a7', 'cannot be read at'],
    [
      `start: a0\n${Array.from({ length: 40 }, (_, index) => `a${index}: a${index + 1} a${index + 1}`).join('\n')}\na40: "x"`,
      'too large when its names are written out',
    ],
    [`start: ${'('.repeat(200)}"a"${')'.repeat(200)}`, 'nested deeper than'],
  ])('is refused for %j, which it names', (grammar, words) => {
    expect(() => larkToPattern(grammar, 'tools.0.format.definition')).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: expect.stringContaining(words),
        field: 'tools.0.format.definition',
      }),
    );
  });
});
