import { createClosingReader } from './closing.ts';
import type { ToolCallForm } from './form.ts';
import { callObject, createGrammarParts, quoted } from './grammar-parts.ts';
import { createJsonCallReader } from './json-call.ts';

const close = '<|message_sep|>';
const role = 'function call<|role_sep|>\n';
const open = `${close}\n\n${role}`;

/** A message of its own, `function call<|role_sep|>` and `{"name": …, "arguments": …}`: GigaChat 3. */
export const gigaChatForm: ToolCallForm = {
  name: 'gigachat',
  opens: [open, role],
  markers: [close, '<|role_sep|>'],
  createReader: ({ sink }) => createClosingReader(createJsonCallReader({ sink }), close),
  callGrammar(tools, how) {
    const parts = createGrammarParts(how);
    return parts.print(`${callObject(parts, tools, { name: 'name', arguments: 'arguments' })} ${quoted(close)}`);
  },
  requireCall({ tools, named, how }) {
    if (!named) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
    const parts = createGrammarParts(how);
    return {
      prefix: `${open}{"name": ${JSON.stringify(named.name)}, "arguments": `,
      gbnf: parts.print(`${parts.argumentsOf(named)} "}" ${quoted(close)}`),
    };
  },
};
