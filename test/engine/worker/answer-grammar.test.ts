import { describe, expect, it } from 'vitest';
import {
  bindAnswer,
  bindToolCalls,
  formatGrammar,
  toolCallGrammar,
} from '../../../src/engine/worker/answer-grammar.ts';
import { createOutputParser } from '../../../src/engine/worker/output-parser.ts';

const now = () => 0;
const parserFor = (startsInReasoning = false) =>
  createOutputParser({ tools: true, startsInReasoning, newCallId: () => 'call_1' });
const tool = {
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

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
    const source = bindToolCalls('g', parser, 'none');
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
    const source = bindToolCalls('g', parser, 'none');
    parser.push('<tool_call>\n{"na');
    expect(source.current()).toBeNull();
    parser.push('me": "get_weather", "arguments": {}}</tool_call><tool_call>');
    expect(source.current()).toEqual({ gbnf: 'g', id: 1 });
  });

  it('goes on with a call that the prompt began', () => {
    const parser = parserFor();
    parser.push('<tool_call>\n{"name": "get_weather", "arguments": ');
    expect(bindToolCalls('g', parser, 'arguments').current()).toEqual({ gbnf: 'g', id: 1 });
  });

  it('writes the tags around the calls, as much of them as the prompt has not written', () => {
    const root = (text: string) => text.split('\n').find((line) => line.startsWith('root ::='))!;
    expect(root(toolCallGrammar([tool], 'none', now))).toMatch(/^root ::= "\\n"\? \S+ "\\n"\? "<\/tool_call>"$/);
    expect(root(toolCallGrammar([tool], 'tag', now))).toMatch(/^root ::= \S+ "\\n"\? "<\/tool_call>"$/);
    expect(root(toolCallGrammar([tool], 'arguments', now))).toMatch(/^root ::= \S+ "}" "\\n"\? "<\/tool_call>"$/);
    expect(toolCallGrammar([tool], 'none', now)).toContain('get_weather');
  });

  it('leaves the arguments of a tool free when its schema cannot be kept', () => {
    const odd = { name: 'odd', parameters: { type: 'object', not: { required: ['x'] } } };
    expect(toolCallGrammar([tool, odd], 'none', now)).toContain('odd');
  });

  it('refuses a schema that an answer cannot be held to, by name', () => {
    expect(formatGrammar({ type: 'text' }, now)).toBeNull();
    expect(formatGrammar({ type: 'json' }, now)).toContain('root ::=');
    expect(() => formatGrammar({ type: 'json-schema', schema: { type: 'array', uniqueItems: true } }, now)).toThrow(
      /uniqueItems/,
    );
  });
});
