import type { ToolCallForm } from './form.ts';
import { quoted } from './grammar-parts.ts';
import { readPythonCalls } from './python-call.ts';
import { createWholeReader } from './whole-reader.ts';

const open = '<|tool_call_start|>';
const close = '<|tool_call_end|>';

/** `<|tool_call_start|>[name(key="value", …), …]<|tool_call_end|>`: LFM 2. */
export const lfmForm: ToolCallForm = {
  name: 'lfm',
  opens: [open],
  markers: [open, close],
  createReader: ({ sink }) =>
    createWholeReader({
      sink,
      close,
      parse(body) {
        const list = /^\s*\[([\s\S]*)\]\s*$/.exec(body);
        return list ? readPythonCalls(list[1]!) : null;
      },
    }),
  // Python's notation is bound by no schema: only that it is a call of a tool is.
  callGrammar: (tools) => grammarOf(`"[" ${nameRule(tools.map(({ name }) => name))} ${keywords} "]" ${quoted(close)}`),
  requireCall({ tools, named }) {
    if (!named) return { prefix: open, gbnf: this.callGrammar(tools, () => 0)! };
    return { prefix: `${open}[${named.name}`, gbnf: grammarOf(`${keywords} "]" ${quoted(close)}`) };
  },
  writeCalls(calls) {
    const written = calls.map(({ name, arguments: given }) => {
      const pairs = Object.entries(given).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return `${name}(${pairs.join(', ')})`;
    });
    return `${open}[${written.join(', ')}]${close}`;
  },
};

const keywords = '"(" (keyword (", " keyword)*)? ")"';
const nameRule = (names: readonly string[]) => `(${names.map(quoted).join(' | ')})`;
const grammarOf = (root: string) =>
  [
    'value ::= "\\"" [^"\\\\\\n]* "\\"" | "-"? [0-9]{1,16} ("." [0-9]{1,16})? | "True" | "False" | "None"',
    'keyword ::= [a-zA-Z_] [a-zA-Z0-9_]* "=" value',
    `root ::= ${root}\n`,
  ].join('\n');
