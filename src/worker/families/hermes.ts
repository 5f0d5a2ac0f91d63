import { createClosingReader } from './closing.ts';
import type { ToolCallForm } from './form.ts';
import { callObject, createGrammarParts, quoted } from './grammar-parts.ts';
import { createJsonCallReader } from './json-call.ts';

const open = '<tool_call>';
const close = '</tool_call>';
const closing = `"\\n"? ${quoted(close)}`;

/** `<tool_call>{"name": …, "arguments": …}</tool_call>`: Hermes, Qwen 2.5 and 3, Granite 4 and many others. */
export const hermesForm: ToolCallForm = {
  name: 'hermes',
  opens: [open],
  markers: [open, close],
  createReader: ({ sink }) => createClosingReader(createJsonCallReader({ sink }), close),
  callGrammar(tools, how) {
    const parts = createGrammarParts(how);
    return parts.print(`"\\n"? ${callObject(parts, tools, { name: 'name', arguments: 'arguments' })} ${closing}`);
  },
  requireCall({ tools, named, how }) {
    const parts = createGrammarParts(how);
    if (named) {
      return {
        prefix: `${open}\n{"name": ${JSON.stringify(named.name)}, "arguments": `,
        gbnf: parts.print(`${parts.argumentsOf(named)} "}" ${closing}`),
      };
    }
    return {
      prefix: `${open}\n`,
      gbnf: parts.print(`${callObject(parts, tools, { name: 'name', arguments: 'arguments' })} ${closing}`),
    };
  },
};
