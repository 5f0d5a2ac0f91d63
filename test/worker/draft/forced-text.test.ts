import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noteBinding } from '../../../src/worker/draft/binding.ts';
import { createForcedTexts, forcedText } from '../../../src/worker/draft/forced-text.ts';
import { readGrammar } from '../../../src/worker/draft/gbnf.ts';
import { createLayout } from '../../../src/worker/draft/layout.ts';
import { createTextReader } from '../../../src/worker/draft/text-reader.ts';
import { createGrammarWalker } from '../../../src/worker/draft/walker.ts';
import { hermesForm } from '../../../src/worker/families/hermes.ts';
import { schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';
import { grammarDeps } from '../../support/grammar-deps.ts';
import { schemaCorpus } from '../../support/schemas.ts';

const person = schemaToGrammar({
  type: 'object',
  properties: {
    first_name: { type: 'string' },
    profession: { enum: ['carpenter', 'physician'] },
    age: { type: 'integer' },
    is_free: { type: 'boolean' },
  },
  required: ['first_name', 'profession', 'age', 'is_free'],
  additionalProperties: false,
});

/** What is forced behind a text. */
function forcedBehind(gbnf: string, text: string, maxCharacters = 100): string {
  const walker = createGrammarWalker(readGrammar(gbnf))!;
  const reader = createTextReader(walker, createLayout());
  if (!reader.push(new TextEncoder().encode(text))) throw new Error(`the grammar does not allow ${text}`);
  return forcedText(walker, reader, maxCharacters);
}

describe('text that a grammar forces', () => {
  it.each([
    ['', '{"first_name": "'],
    ['{"fi', 'rst_name": "'],
    ['{"first_name": "Ann', ''],
    ['{"first_name": "Ann"', ', "profession": "'],
    ['{"first_name": "Ann", "profession": "c', 'arpenter", "age":'],
    ['{"first_name": "Ann", "profession": "carpenter", "age": 3', ''],
    ['{"first_name": "Ann", "profession": "carpenter", "age": 30, "is_free": t', 'rue}'],
    ['{"first_name": "Ann", "profession": "carpenter", "age": 30, "is_free": true}', ''],
  ])('behind %j is %j', (text, forced) => {
    expect(forcedBehind(person, text)).toBe(forced);
  });

  it('keeps to the layout that the text has so far', () => {
    expect(forcedBehind(person, '{"first_name":"Ann"')).toBe(', "profession":"');
    expect(forcedBehind(person, '{"first_name":"Ann","profession":"c')).toBe('arpenter","age":');
    expect(forcedBehind(person, '{\n  "first_name": "Ann",\n  "profession": "carpenter"')).toBe(',\n  "age":');
    // White space that stands there already is not written again.
    expect(forcedBehind(person, '{\n  "first_name": "Ann",\n  "profession": "carpenter",\n ')).toBe(' "age":');
    expect(forcedBehind(person, '{\n  "first_name": "Ann",\n  "profession": "carpenter", ')).toBe('"age":');
    // Another layout than the one so far: how it goes on is open.
    expect(forcedBehind(person, '{\n  "first_name": "Ann",\n  "profession": "carpenter",\n\t')).toBe('');
  });

  it('ends at what was asked for', () => {
    expect(forcedBehind(person, '{"', 3).length).toBeLessThanOrEqual(4);
  });

  it('goes on behind the value of a tool call to its closing tag', () => {
    const gbnf = hermesForm.callGrammar([{ name: 'get_weather', parameters: {} }], grammarDeps())!;
    expect(forcedBehind(gbnf, '\n')).toBe('{"name": "get_weather", "arguments": {');
    expect(forcedBehind(gbnf, '\n{"name": "get_weather", "arguments": {}}')).toBe('</tool_call>');
  });

  it('is always what the grammar takes, and never a choice but of white space', () => {
    const grammars = [
      ...schemaCorpus().map(({ schema }) => schemaToGrammar(schema)),
      hermesForm.callGrammar([{ name: 'a', parameters: {} }, { name: 'b' }], grammarDeps())!,
    ];
    const solid = (text: string) => text.replace(/[ \t\n]/g, '');
    let forcedCharacters = 0;
    fc.assert(
      fc.property(fc.constantFrom(...grammars), fc.integer(), fc.nat(), (gbnf, seed, cut) => {
        const grammar = readGbnf(gbnf);
        const characters = Array.from(grammar.generate(randomFrom(seed)));
        const at = cut % (characters.length + 1);
        const text = characters.slice(0, at).join('');
        const forced = forcedBehind(gbnf, text);
        expect([text, forced, grammar.begins(text + forced)]).toEqual([text, forced, true]);
        const [written, foreseen] = [solid(characters.slice(at).join('')), solid(forced)];
        expect(written.slice(0, foreseen.length)).toBe(foreseen.slice(0, written.length));
        forcedCharacters += forced.length;
      }),
      { numRuns: 300 },
    );
    expect(forcedCharacters).toBeGreaterThan(300);
  });
});

describe('guesses from forced text', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  /** A model whose tokens are single bytes, and an answer that is bound from its third token on. */
  function setup(gbnf: string, tokenBytes: (token: number) => Uint8Array | null = (token) => Uint8Array.of(token)) {
    const generated: number[] = [...bytes('<>')];
    let current: { gbnf: string; id: number } | null = null;
    const grammar = noteBinding({ current: () => current }, generated);
    const forced = createForcedTexts({ bytesOf: tokenBytes, tokenize: (text) => [...bytes(text)] });
    const source = forced.source(grammar, generated);
    return {
      generated,
      source,
      /** A new grammar binds from the next token on. */
      bind(id: number | null) {
        current = id === null ? null : { gbnf, id };
        grammar.current();
      },
      write: (text: string) => generated.push(...bytes(text)),
      propose: (maxTokens: number) => new TextDecoder().decode(Uint8Array.from(source.propose(maxTokens))),
    };
  }

  it('begin where the grammar began to bind, and end with it', () => {
    const { bind, write, propose } = setup('root ::= "abc" | "abd"\n');
    expect(propose(8)).toBe('');
    bind(1);
    expect(propose(8)).toBe('ab');
    write('a');
    expect(propose(8)).toBe('b');
    bind(2);
    expect(propose(1)).toBe('a');
    bind(null);
    expect(propose(8)).toBe('');
  });

  it('wait for the rest of a character, and give up at text that is not of the grammar', () => {
    const { bind, generated, write, propose } = setup('root ::= "é" "\\u6F22" "end"\n');
    bind(1);
    expect(propose(8)).toBe('é漢end');
    generated.push(0xc3);
    expect(propose(8)).toBe('');
    generated.push(0xa9);
    expect(propose(8)).toBe('漢end');
    generated.push(0xe6, 0xbc);
    expect(propose(8)).toBe('');
    generated.push(0xa2);
    expect(propose(8)).toBe('end');
    write('x');
    expect(propose(8)).toBe('');
    write('end');
    expect(propose(8)).toBe('');
  });

  it.each([
    ['a grammar in another form', 'root ::= [^a-z]++\n'],
    ['a grammar that is too large', `root ::= "${'a'.repeat(70_000)}"\n`],
    ['bytes that are no text', 'root ::= "\\u00FF"\n'],
  ])('are none for %s', (_name, gbnf) => {
    const { bind, generated, source } = setup(gbnf);
    bind(1);
    generated.push(0xff);
    expect(source.propose(8)).toEqual([]);
  });

  it('are none behind a token whose bytes are unknown, or where too many places are open', () => {
    const unknown = setup('root ::= "abc"\n', () => null);
    unknown.bind(1);
    unknown.write('a');
    expect(unknown.propose(8)).toBe('');
    const names = Array.from({ length: 200 }, (_, index) => `"${index}x"`).join(' | ');
    const wide = setup(`root ::= "a" (${names})\n`);
    wide.bind(1);
    expect(wide.propose(8)).toBe('a');
    wide.write('a');
    expect(wide.propose(8)).toBe('');
  });
});
