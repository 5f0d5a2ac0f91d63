import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { schemaToGrammar } from '../../../../src/worker/grammar/grammar.ts';
import { PatternError, parseSyntax } from '../../../../src/worker/grammar/pattern/pattern.ts';
import { randomFrom, readGbnf } from '../../../support/gbnf.ts';

const patternGrammar = (pattern: string) => readGbnf(schemaToGrammar({ type: 'string', pattern }));

const patterns = [
  '^abc$',
  '^a|b$',
  '^(?:cat|dog)s?$',
  '^[a-c]{2,4}$',
  '^[^a-c"\\\\]{0,3}$',
  '^\\d{3}-\\w+$',
  '^\\s*x\\S$',
  '^.+$',
  'a.c',
  '.*a.*',
  '.*',
  'a*|b.*$',
  '^\\.\\*\\$\\/$',
  '^[\\]\\-^]+$',
  '^[-a]+[a-]$',
  '^(a*)*$',
  '^(a|)+b$',
  '^((a?)(b?))*$',
  '^(?<year>[0-9]{4})$',
  '^(a+?|b??){2,}$',
  '^"\\\\"$',
  '^\\u00e9\\x41\\u{1F600}\\ud83d\\ude00$',
  '^[\\u{1F600}-\\u{1F610}]+$',
  '^\\t\\n$',
  '^$',
  '',
  '^(ab){3}$',
  '^[\\d\\s_]+$',
  '^(?!\\s*$).+',
  '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$',
  '^(?=.*[a-b])(?=.*\\d).{2,5}$',
  '^(?!.*bb)[a-c]{1,4}$',
  '(?<=a)b',
  '(?<!a)b$',
  '^a*(?<!aaa)$',
  '\\bb\\B',
  '^\\w+\\b.\\b\\w$',
  '(^a|b$)',
  '^(?:(?!ab).)*$',
  '^(?:a(?=b)|b(?!b))+$',
  '(?<=^a)b|^$',
  '^((?=a)a|)*c?$',
  '^\\p{L}{1,3}$',
  '^[\\p{Lu}\\d-]*$',
  '^\\P{L}+$',
  '^[^\\p{L}]{2}$',
];

describe('a pattern', () => {
  // A JavaScript RegExp is the judge of these patterns, which are the test's own; the code under test never runs one.
  it.each(patterns)('writes only what matches: %j', (pattern) => {
    const grammar = patternGrammar(pattern);
    const judge = new RegExp(pattern, 'u');
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const text = grammar.generate(randomFrom(seed));
        expect([text, judge.test(JSON.parse(text))]).toEqual([text, true]);
      }),
    );
  });

  it.each(patterns)('takes a short text exactly when it matches: %j', (pattern) => {
    const grammar = patternGrammar(pattern);
    const judge = new RegExp(pattern, 'u');
    const alphabet = Array.from('aaabbc1_-.x"\\ \n😀]^$*/é');
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 6 }), (characters) => {
        const text = characters.join('');
        expect([text, grammar.accepts(JSON.stringify(text))]).toEqual([text, judge.test(text)]);
      }),
      { numRuns: 300 },
    );
  });

  it.each(
    (
      [
        ['(a)\\1', 'back'],
        ['(?<n>a)\\k<n>', 'back'],
        ['(?i:a)', 'unknown kind'],
        ['*', 'repeated'],
        ['a**', 'two quantifiers'],
        ['a{2,1}', 'malformed'],
        ['a{x}', 'malformed'],
        ['a{99999}', 'repeats over'],
        ['((a{40}){40}){40}', 'unfolds'],
        ['(a', '")"'],
        ['a)', 'closed'],
        ['[a', '"]"'],
        ['[b-a]', 'range'],
        ['[]', 'without a character'],
        ['\\ud83d', 'surrogate'],
        ['\\p{Nonsense}', 'unknown property'],
        ['\\pL', 'in braces'],
        ['(?<=a(?=b))c', 'looks ahead'],
        ['^*a', 'no character'],
        ['\\', 'backslash'],
        ['('.repeat(60_000), 'over 1000 characters'],
        [`${'('.repeat(100)}a${')'.repeat(100)}`, 'groups in each other'],
      ] as [string, string][]
    ).map(([pattern, reason]) => ({ pattern, reason, name: pattern.slice(0, 30) })),
  )('is refused where it is not of the subset: $name', ({ pattern, reason }) => {
    expect(() => parseSyntax(pattern)).toThrow(PatternError);
    expect(() => parseSyntax(pattern)).toThrow(reason);
    expect(() => schemaToGrammar({ type: 'string', pattern })).toThrow('"pattern"');
  });

  it('that takes a backtracking matcher for ever is no work here', () => {
    const grammar = patternGrammar('^(a+)+$');
    expect(grammar.accepts(`"${'a'.repeat(500)}!"`)).toBe(false);
    expect(grammar.accepts(`"${'a'.repeat(500)}"`)).toBe(true);
  });

  it('of control characters is refused when nothing else is left', () => {
    expect(() => schemaToGrammar({ type: 'string', pattern: '^\\x01$' })).toThrow('no text that can be written');
  });
});

describe('a format', () => {
  const formats: [format: string, isValid: (text: string) => boolean, valid: string[], invalid: string[]][] = [
    [
      'date',
      (text) => z.iso.date().safeParse(text).success,
      ['2000-02-29', '2024-12-31'],
      ['1900-02-29', '2024-13-01'],
    ],
    [
      'time',
      (text) => z.iso.datetime({ offset: true }).safeParse(`2024-01-01T${text}`).success,
      ['23:59:59Z'],
      ['24:00:00Z'],
    ],
    [
      'date-time',
      (text) => z.iso.datetime({ offset: true }).safeParse(text).success,
      ['2024-05-06T07:08:09Z', '2024-05-06T07:08:09.123+02:00'],
      ['2024-05-06', '2024-05-06T07:08:09', '2024-05-06 07:08:09Z'],
    ],
    [
      'duration',
      (text) => z.iso.duration().safeParse(text).success,
      ['P3D', 'PT1H30M', 'P1Y2M3DT4H'],
      ['P', 'PT', '3D'],
    ],
    [
      'uuid',
      (text) => z.uuid().safeParse(text).success,
      ['123e4567-e89b-42d3-a456-426614174000'],
      ['123e4567e89b42d3a456426614174000', '123e4567-e89b-02d3-a456-426614174000'],
    ],
    ['email', (text) => z.email().safeParse(text).success, ['a.b+c@mail.example.org'], ['.a@b.cc', 'a..b@c.dd', 'a@b']],
    [
      'ipv4',
      (text) => z.ipv4().safeParse(text).success,
      ['0.0.0.0', '192.168.1.255'],
      ['256.1.1.1', '1.2.3', '01.2.3.4'],
    ],
    [
      'ipv6',
      (text) => URL.canParse(`http://[${text}]/`),
      ['::', '::1', '2001:db8::8:800', '1:2:3:4:5:6:7:8'],
      ['1:2', '1::2::3', ':::'],
    ],
    [
      'uri',
      (text) => URL.canParse(text),
      ['https://example.org', 'http://a.b:80/c?d=e#f'],
      ['example.org', 'https://', 'http://a b'],
    ],
  ];

  it.each(formats)('%s writes only valid texts and takes the usual ones', (format, isValid, valid, invalid) => {
    const grammar = readGbnf(schemaToGrammar({ type: 'string', format }));
    for (const text of valid) expect([text, grammar.accepts(JSON.stringify(text))]).toEqual([text, true]);
    for (const text of invalid) expect([text, grammar.accepts(JSON.stringify(text))]).toEqual([text, false]);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const text: string = JSON.parse(grammar.generate(randomFrom(seed)));
        expect([text, isValid(text)]).toEqual([text, true]);
      }),
      { numRuns: 200 },
    );
  });

  it('stands in for a look-around pattern beside it, and keeps what that pattern asks for', () => {
    const pattern = '^(?!\\.)(?!.*\\.\\.)[A-Za-z0-9_+.-]*[A-Za-z0-9_+-]@([A-Za-z0-9-]+\\.)+[A-Za-z]{2,}$';
    const schema = { type: 'string', format: 'email', pattern };
    const grammar = readGbnf(schemaToGrammar(schema));
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const text: string = JSON.parse(grammar.generate(randomFrom(seed)));
        expect([text, new RegExp(pattern, 'u').test(text)]).toEqual([text, true]);
      }),
    );
  });

  it('gives way to a pattern that can be converted', () => {
    const grammar = readGbnf(schemaToGrammar({ type: 'string', format: 'date', pattern: '^x+$' }));
    expect([grammar.accepts('"xx"'), grammar.accepts('"2024-01-01"')]).toEqual([true, false]);
  });
});
