import type { CallReader, CallSink, ReadState, ToolCallForm } from './form.ts';
import { readOn } from './form.ts';
import { callObject, choice, createGrammarParts, quoted } from './grammar-parts.ts';
import { createJsonScanner, isObject, parseJson } from './json-text.ts';
import { createRowReader } from './row-reader.ts';

const open = '[TOOL_CALLS]';
const args = '[ARGS]';
const callId = '[CALL_ID]';
const head = /^\s*([\w.:/-]+)(?:\[CALL_ID\][\w-]*)?\[ARGS\]/;
const partialHead = /^\s*[\w.:/-]*(?:\[[A-Z_]*\]?[\w-]*)?(?:\[[A-Z_]*)?$/;

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
      const call = callObject(parts, tools, 'arguments');
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
  let text = '';
  return {
    push(piece) {
      text += piece;
      if (!reader) {
        const first = text.trimStart()[0];
        if (first === undefined) return readOn;
        reader = first === '[' || first === '{' ? createRowReader({ sink, shape: 'list' }) : createNamedReader(sink);
      }
      const unread = text;
      text = '';
      return reader.push(unread);
    },
    end: () => reader?.end() ?? { state: 'broken', text },
  };
}

function createNamedReader(sink: CallSink): CallReader {
  let text = '';
  let from: number | null = null;
  const scanner = createJsonScanner();
  const broken = (): ReadState => ({ state: 'broken', text });
  const readArguments = (piece: string): ReadState => {
    const length = scanner.push(piece);
    if (scanner.failed) return broken();
    sink.args(length === null ? piece : piece.slice(0, length));
    if (length === null) return readOn;
    const end = text.length - piece.length + length;
    if (!isObject(parseJson(text.slice(from ?? 0, end)))) return broken();
    sink.end();
    return { state: 'done', rest: text.slice(end) };
  };
  return {
    push(piece) {
      text += piece;
      if (from !== null) return readArguments(piece);
      const match = head.exec(text);
      if (!match) return partialHead.test(text) ? readOn : broken();
      from = match[0].length;
      sink.start(match[1]!);
      return readArguments(text.slice(from));
    },
    end: broken,
  };
}
