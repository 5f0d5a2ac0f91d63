import type { ToolDefinition } from '../../core/chat.ts';
import type { ToolCallForm } from './form.ts';
import { callObject, createGrammarParts } from './grammar-parts.ts';
import { createRowReader } from './row-reader.ts';

const pythonTag = '<|python_tag|>';
const beginning = /^\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"((?:[^"\\]|\\.)*)"\s*,\s*"parameters"\s*:/;

/** A bare object is a call only when it names a tool: an answer may be JSON as well. */
function opensBare(text: string, tools: readonly ToolDefinition[]): 'call' | 'text' | 'wait' {
  if (!text.startsWith('{')) return 'text';
  const match = beginning.exec(text);
  if (match) return tools.some(({ name }) => name === match[1]) ? 'call' : 'text';
  // White space may stand anywhere; what is left has to be the beginning of a call.
  const written = text.replace(/\s+/g, '');
  const untyped = written.replace('{"type":"function",', '{');
  const isBegun = tools.some(({ name }) => `{"name":${JSON.stringify(name)},"parameters":`.startsWith(untyped));
  return isBegun || '{"type":"function",'.startsWith(written) ? 'wait' : 'text';
}

/**
 * `{"name": …, "parameters": …}` and nothing else: Llama 3.1 to 3.3. It has no marker, so a call that the model begins
 * itself cannot be told from an answer in JSON before its name is read, and no grammar binds it; a required one is
 * bound. `<|python_tag|>` may stand before it, and several come with semicolons.
 */
export const llamaForm: ToolCallForm = {
  name: 'llama',
  opens: [pythonTag],
  freeOpens: [pythonTag],
  markers: [pythonTag],
  opensBare,
  createReader({ tools, sink }) {
    const names = new Set(tools.map(({ name }) => name));
    return createRowReader({ sink, shape: 'row', isKnown: (name) => names.has(name) });
  },
  callGrammar: () => null,
  requireCall({ tools, named, how }) {
    const parts = createGrammarParts(how);
    if (named) {
      return {
        prefix: `{"name": ${JSON.stringify(named.name)}, "parameters": `,
        gbnf: parts.print(`${parts.argumentsOf(named)} "}"`),
      };
    }
    return { prefix: '', gbnf: parts.print(callObject(parts, tools, { name: 'name', arguments: 'parameters' })) };
  },
};
