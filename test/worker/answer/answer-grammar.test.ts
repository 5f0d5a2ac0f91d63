import { describe, expect, it } from 'vitest';
import { bindAnswer, bindToolCalls, formatGrammar } from '../../../src/worker/answer/answer-grammar.ts';
import { hermesForm } from '../../../src/worker/families/hermes.ts';
import { parserFor as createParser } from '../../support/parse-output.ts';

const now = () => 0;
const parserFor = (startsInReasoning = false, begun = false) =>
  createParser({ form: hermesForm, bound: true, begun, startsInReasoning });
const calls = { opened: null, gbnf: 'g' };

describe('grammars of an answer', () => {
  it('binds the whole answer, but not the reasoning before it', () => {
    const parser = parserFor(true);
    const source = bindAnswer('root ::= "a"', parser);
    expect(source.current()).toBeNull();
    parser.push('hm</think>');
    expect(source.current()).toEqual({ gbnf: 'root ::= "a"', id: 0 });
  });

  it('binds each call from its tag to its end, each from the beginning of the grammar', () => {
    const parser = parserFor();
    const source = bindToolCalls(calls, parser);
    expect(source.current()).toBeNull();
    parser.push('Sure.\n<tool_call>');
    expect(source.current()).toEqual({ gbnf: 'g', id: 1 });
    parser.push('\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n');
    expect(source.current()).toEqual({ gbnf: 'g', id: 1 });
    parser.push('</tool_call>');
    expect(source.current()).toBeNull();
    parser.push('\n<tool_call>');
    expect(source.current()).toEqual({ gbnf: 'g', id: 2 });
  });

  it('leaves a call free when its beginning was written before the grammar could see it', () => {
    const parser = parserFor();
    const source = bindToolCalls(calls, parser);
    parser.push('<tool_call>\n{"na');
    expect(source.current()).toBeNull();
    parser.push('me": "get_weather", "arguments": {}}</tool_call><tool_call>');
    expect(source.current()).toEqual({ gbnf: 'g', id: 2 });
  });

  it('goes on with a call that the prompt began, by a grammar of its own', () => {
    const parser = parserFor(false, true);
    const source = bindToolCalls({ opened: 'first', gbnf: 'g' }, parser);
    parser.push('<tool_call>\n{"name": "get_weather", "arguments": ');
    expect(source.current()).toEqual({ gbnf: 'first', id: 1 });
    parser.push('{}}</tool_call>\n<tool_call>');
    expect(source.current()).toEqual({ gbnf: 'g', id: 2 });
  });

  it('leaves calls free that nothing binds', () => {
    const parser = parserFor();
    parser.push('<tool_call>');
    expect(bindToolCalls({ opened: null, gbnf: null }, parser).current()).toBeNull();
  });

  it('refuses a schema that an answer cannot be held to, by name', () => {
    expect(formatGrammar({ type: 'text' }, now)).toBeNull();
    expect(formatGrammar({ type: 'json' }, now)).toContain('root ::=');
    expect(() => formatGrammar({ type: 'json-schema', schema: { type: 'array', uniqueItems: true } }, now)).toThrow(
      /uniqueItems/,
    );
  });
});
