import { createClosingReader } from './closing.ts';
import type { ToolCallForm } from './form.ts';
import { callObject, createGrammarParts } from './grammar-parts.ts';
import { createRowReader } from './row-reader.ts';

const open = '<|tool_call|>';
const close = '<|/tool_call|>';

/** `<|tool_call|>[{"name": …, "arguments": …}, …]`: Granite 3, and Phi-4 mini with a closing tag. */
export const graniteForm: ToolCallForm = {
  name: 'granite',
  opens: [open],
  markers: [open, close],
  createReader: ({ sink }) => createClosingReader(createRowReader({ sink, shape: 'list' }), close),
  callGrammar(tools, how) {
    const parts = createGrammarParts(how);
    const call = callObject(parts, tools, 'arguments');
    return parts.print(`"[" ${call} (", " ${call})* "]"`);
  },
  requireCall({ tools, named, how }) {
    const parts = createGrammarParts(how);
    if (!named) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
    return {
      prefix: `${open}[{"name": ${JSON.stringify(named.name)}, "arguments": `,
      gbnf: parts.print(`${parts.argumentsOf(named)} "}]"`),
    };
  },
};
