import type { CallReader, CallSink, ToolCallForm } from './form.ts';
import { readOn } from './form.ts';
import { callObject, choice, createGrammarParts, quoted } from './grammar-parts.ts';
import { createNamedReader, type NamedSyntax } from './named-reader.ts';
import { createRowReader } from './row-reader.ts';

const open = '[TOOL_CALLS]';
const args = '[ARGS]';
const callId = '[CALL_ID]';
const syntax: NamedSyntax = {
  head: /^(?<name>[\w.:/-]+)(?:\[CALL_ID\][\w-]*)?\[ARGS\]/,
  partialHead: /^[\w.:/-]*(?:\[[A-Z_]*\]?[\w-]*)?(?:\[[A-Z_]*)?$/,
};

/**
 * `[TOOL_CALLS][{"name": …, "arguments": …}, …]`, and in newer models `[TOOL_CALLS]NAME[ARGS]{…}` for each call. Both
 * are read; `written`: the one that the template writes.
 */
export function mistralForm(written: 'list' | 'named'): ToolCallForm {
  const named: Pick<ToolCallForm, 'callGrammar' | 'requireCall'> = {
    callGrammar(tools, how) {
      const parts = createGrammarParts(how);
      return parts.print(choice(tools.map((tool) => `${quoted(tool.name + args)} ${parts.argumentsOf(tool)}`)));
    },
    requireCall({ tools, named: tool, how }) {
      const parts = createGrammarParts(how);
      if (!tool) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
      return { prefix: open + tool.name + args, gbnf: parts.print(parts.argumentsOf(tool)) };
    },
  };
  const list: typeof named = {
    callGrammar(tools, how) {
      const parts = createGrammarParts(how);
      const call = callObject(parts, tools, { name: 'name', arguments: 'arguments' });
      return parts.print(`"[" ${call} (", " ${call})* "]"`);
    },
    requireCall({ tools, named: tool, how }) {
      const parts = createGrammarParts(how);
      if (!tool) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
      return {
        prefix: `${open}[{"name": ${JSON.stringify(tool.name)}, "arguments": `,
        gbnf: parts.print(`${parts.argumentsOf(tool)} "}]"`),
      };
    },
  };
  return {
    name: 'mistral',
    opens: [open],
    markers: [open, args, callId],
    createReader: ({ sink }) => createEitherReader(sink),
    ...(written === 'named' ? named : list),
  };
}

/** Decides by the first character between the two ways. */
function createEitherReader(sink: CallSink): CallReader {
  let reader: CallReader | null = null;
  /** White space before it. */
  let space = '';
  return {
    push(piece) {
      if (reader) return reader.push(piece);
      const first = piece.trimStart()[0];
      if (first === undefined) {
        space += piece;
        return readOn;
      }
      reader =
        first === '[' || first === '{' ? createRowReader({ sink, shape: 'list' }) : createNamedReader({ syntax, sink });
      return reader.push(space + piece);
    },
    end: () => reader?.end() ?? { state: 'broken', text: space },
  };
}
