import type { ToolDefinition } from '../../core/chat.ts';
import type { CallReader, CallSink, ReadState, ToolCallForm } from './form.ts';
import { readOn } from './form.ts';
import { choice, createGrammarParts, quoted } from './grammar-parts.ts';
import { createJsonScanner, isObject, parseJson } from './json-text.ts';
import { keywordArguments, pythonNotation } from './keyword-grammar.ts';
import { readPythonCalls } from './python-call.ts';
import { createUntilFinder } from './until.ts';

/** ChatGLM's first line names the tool; what follows are its arguments. */
const pythonOpen = '```python\n';
const pythonClose = '```';

/** Whether the first line is, or may become, the name of a tool. */
function opensBare(text: string, tools: readonly ToolDefinition[]): 'call' | 'text' | 'wait' {
  const [line = '', ...more] = text.split('\n');
  const name = line.trim();
  if (more.length > 0) {
    // The arguments decide: a line that only happens to be a tool's name stays text.
    const next = more.join('\n').trimStart();
    if (!tools.some((tool) => tool.name === name)) return 'text';
    if (next === '') return 'wait';
    if (next.startsWith('{')) return 'call';
    return next.startsWith(pythonClose) ? 'call' : pythonClose.startsWith(next) ? 'wait' : 'text';
  }
  return tools.some((tool) => tool.name.startsWith(name)) ? 'wait' : 'text';
}

/**
 * The name of a tool on the first line, then its arguments: a JSON object (GLM-4) or a Python call in a code block
 * (ChatGLM3: `tool_call(city='Oslo')`). Both are read; `written`: the one that the template writes. One call at a time.
 */
export function chatGlmForm(written: 'json' | 'python'): ToolCallForm {
  return {
    name: 'chatglm',
    opens: [],
    markers: [],
    opensBare,
    createReader: ({ sink }) => createLineReader(sink),
    // A call has no marker of its own, so one that the model begins itself is read and not bound.
    callGrammar: () => null,
    requireCall({ tools, named, how }) {
      const parts = createGrammarParts(how);
      const candidates = named ? [named] : tools;
      const head = (tool: ToolDefinition) => (named ? '' : `${quoted(`${tool.name}\n`)} `);
      if (written === 'json') {
        const calls = candidates.map((tool) => head(tool) + parts.argumentsOf(tool));
        return { prefix: named ? `${named.name}\n` : '', gbnf: parts.print(choice(calls)) };
      }
      const notation = pythonNotation(parts, "'");
      const open = quoted(`${pythonOpen}tool_call(`);
      const close = quoted(`)\n${pythonClose}`);
      const calls = candidates.map(
        (tool) => `${head(tool)}${open} ${keywordArguments(parts, notation, tool)} ${close}`,
      );
      return { prefix: named ? `${named.name}\n` : '', gbnf: parts.print(choice(calls)) };
    },
  };
}

const head = /^([^\s{`]+)[^\S\n]*\n\s*(?=[{`])/;
const partialHead = /^[^\s{`]*[^\S\n]*(?:\n\s*)?$/;
const pythonHead = /^```(?:python)?\n/;
/** Names have 64 characters; white space in front does not count. */
const longestHead = 500;

function createLineReader(sink: CallSink): CallReader {
  /** All that came. It is joined, and not looked into before the call is over. */
  let text = '';
  let begun = '';
  let name: string | null = null;
  let readBody: (piece: string) => ReadState = readHead;
  const broken = (): ReadState => ({ state: 'broken', text });

  function readHead(piece: string): ReadState {
    begun = (begun + piece).trimStart();
    const match = head.exec(begun);
    if (!match) return begun.length <= longestHead && partialHead.test(begun) ? readOn : broken();
    if (match[0].length > longestHead) return broken();
    name = match[1]!;
    const rest = begun.slice(match[0].length);
    readBody = rest[0] === '{' ? readJson() : readPython();
    return readBody(rest);
  }
  function readJson() {
    const scanner = createJsonScanner();
    let given = '';
    sink.start(name ?? '');
    return (piece: string): ReadState => {
      const length = scanner.push(piece);
      const part = length === null ? piece : piece.slice(0, length);
      given += part;
      sink.args(part);
      if (length === null) return readOn;
      if (!isObject(parseJson(given))) return broken();
      sink.end();
      return { state: 'done', rest: piece.slice(length) };
    };
  }
  function readPython() {
    let opening: string | null = '';
    const finder = createUntilFinder(pythonClose);
    return (piece: string): ReadState => {
      let body = piece;
      if (opening !== null) {
        opening += piece;
        const match = pythonHead.exec(opening);
        if (!match) return pythonOpen.startsWith(opening) ? readOn : broken();
        body = opening.slice(match[0].length);
        opening = null;
      }
      const found = finder.push(body);
      if (!found) return readOn;
      const call = readPythonCalls(found.inside);
      if (call?.length !== 1) return broken();
      sink.start(name ?? '');
      sink.args(call[0]!.argumentsText);
      sink.end();
      return { state: 'done', rest: found.rest };
    };
  }
  return {
    push(piece) {
      text += piece;
      return readBody(piece);
    },
    end: broken,
  };
}
