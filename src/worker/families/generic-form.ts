import type { ToolDefinition } from '../../core/chat.ts';
import { createClosingReader } from './closing.ts';
import type { ToolCallForm } from './form.ts';
import { hermesForm } from './hermes.ts';
import { createJsonCallReader } from './json-call.ts';

const beginning = /^\{\s*"name"\s*:\s*"((?:[^"\\]|\\.)*)"\s*,\s*"(?:arguments|parameters)"\s*:/;

/** A bare object is a call only when it names a tool: an answer may be JSON as well. */
function opensBare(text: string, tools: readonly ToolDefinition[]): 'call' | 'text' | 'wait' {
  if (!text.startsWith('{')) return 'text';
  const match = beginning.exec(text);
  if (match) return tools.some(({ name }) => name === match[1]) ? 'call' : 'text';
  const written = text.replace(/\s+/g, '');
  const isBegun = tools.some(({ name }) =>
    ['arguments', 'parameters'].some((key) => `{"name":${JSON.stringify(name)},"${key}":`.startsWith(written)),
  );
  return isBegun ? 'wait' : 'text';
}

/**
 * For templates that know no tools: what our instructions ask for, `<tool_call>{…}</tool_call>`, and the same object
 * without its tags as the whole answer, which models write that do not know them.
 */
export const genericForm: ToolCallForm = {
  ...hermesForm,
  name: 'generic',
  opensBare,
  beginsMarked: true,
  createReader({ opened, tools, sink }) {
    if (opened !== '') return hermesForm.createReader({ opened, tools, sink });
    const names = new Set(tools.map(({ name }) => name));
    return createClosingReader(createJsonCallReader({ sink, isKnown: (name) => names.has(name) }), '</tool_call>');
  },
};
