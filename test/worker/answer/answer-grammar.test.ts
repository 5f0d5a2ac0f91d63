import { describe, expect, it } from 'vitest';
import { bindAnswer, bindToolCalls, formatGrammar, formatOrCalls } from '../../../src/worker/answer/answer-grammar.ts';
import { gemmaForm } from '../../../src/worker/families/gemma.ts';
import { hermesForm } from '../../../src/worker/families/hermes.ts';
import { llamaForm } from '../../../src/worker/families/llama.ts';
import { mistralForm } from '../../../src/worker/families/mistral.ts';
import { schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';
import { grammarDeps } from '../../support/grammar-deps.ts';
import { parserFor as createParser, readOutput } from '../../support/parse-output.ts';

const how = { nowMs: () => 0, mostUnique: null };
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

  it('says of a schema whether its grammar keeps all of it, and refuses by name what nothing keeps', () => {
    const formatOf = (schema: object) => formatGrammar({ type: 'json-schema', schema }, how);
    expect(formatGrammar({ type: 'text' }, how)).toBeNull();
    expect(formatGrammar({ type: 'json' }, how)?.gbnf).toContain('root ::=');
    expect(formatOf({ type: 'array', items: { enum: [1, 2] }, uniqueItems: true })?.isOpen).toBe(false);
    expect(formatOf({ type: 'array', uniqueItems: true })?.isOpen).toBe(true);
    expect(() => formatOf({ type: 'string', pattern: '(a)\\1' })).toThrow(/pattern/);
  });

  it('lets an answer be text of a format or calls', async () => {
    const format = schemaToGrammar({ type: 'object', properties: { text: { maxLength: 5 } }, required: ['text'] });
    const tools = [{ name: 'now', parameters: { type: 'object', properties: { zone: { enum: ['UTC'] } } } }];
    for (const form of [hermesForm, llamaForm, mistralForm('list'), gemmaForm]) {
      const gbnf = formatOrCalls(format, form, tools, grammarDeps());
      const random = randomFrom(3);
      const grammar = readGbnf(gbnf);
      const kinds = new Set<string>();
      for (let count = 0; count < 30; count++) {
        const written = grammar.generate(random);
        const { text, calls: made } = await readOutput([written], { form, tools, bound: true });
        kinds.add(made.length > 0 ? 'calls' : 'text');
        if (made.length > 0) expect(text, written).toBe('');
        else expect(JSON.parse(text), written).toHaveProperty('text');
        for (const { name } of made) expect(name).toBe('now');
      }
      expect([...kinds].sort(), form.name).toEqual(['calls', 'text']);
    }
  });
});
