import { createBufferedReader } from './buffered-reader.ts';
import type { ToolCallForm } from './form.ts';
import { choice, createGrammarParts, quoted } from './grammar-parts.ts';
import { keywordArguments, pythonNotation } from './keyword-grammar.ts';
import { readPythonCalls } from './python-call.ts';

const open = '<|tool_call_start|>';
const close = '<|tool_call_end|>';

/** `<|tool_call_start|>[name(key="value", …), …]<|tool_call_end|>`: LFM 2. */
export const lfmForm: ToolCallForm = {
  name: 'lfm',
  opens: [open],
  markers: [open, close],
  createReader: ({ sink }) =>
    createBufferedReader({
      sink,
      close,
      parse(body) {
        const list = /^\s*\[([\s\S]*)\]\s*$/.exec(body);
        return list ? readPythonCalls(list[1]!) : null;
      },
    }),
  callGrammar(tools, how) {
    const parts = createGrammarParts(how);
    const notation = pythonNotation(parts, '"');
    const calls = tools.map((tool) => `${quoted(`${tool.name}(`)} ${keywordArguments(parts, notation, tool)} ")"`);
    return parts.print(`"[" ${choice(calls)} "]" ${quoted(close)}`);
  },
  requireCall({ tools, named, how }) {
    if (!named) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
    const parts = createGrammarParts(how);
    const given = keywordArguments(parts, pythonNotation(parts, '"'), named);
    return { prefix: `${open}[${named.name}(`, gbnf: parts.print(`${given} ")]" ${quoted(close)}`) };
  },
  writeCalls(calls) {
    const written = calls.map(({ name, arguments: given }) => {
      if (typeof given === 'string') return `${name}(${given})`;
      const pairs = Object.entries(given).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return `${name}(${pairs.join(', ')})`;
    });
    return `${open}[${written.join(', ')}]${close}`;
  },
};
