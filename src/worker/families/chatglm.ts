import type { ToolDefinition } from '../../core/chat.ts';
import type { CallReader, CallSink, ReadState, ToolCallForm } from './form.ts';
import { readOn } from './form.ts';
import { choice, createGrammarParts, quoted } from './grammar-parts.ts';
import { createJsonScanner, isObject, parseJson } from './json-text.ts';
import { keywordArguments, pythonNotation } from './keyword-grammar.ts';
import { readPythonCalls } from './python-call.ts';

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

function createLineReader(sink: CallSink): CallReader {
  let text = '';
  let name: string | null = null;
  let from = 0;
  let isJson = false;
  const scanner = createJsonScanner();
  const broken = (): ReadState => ({ state: 'broken', text });
  const readJson = (piece: string): ReadState => {
    const length = scanner.push(piece);
    sink.args(length === null ? piece : piece.slice(0, length));
    if (length === null) return readOn;
    const end = text.length - piece.length + length;
    if (!isObject(parseJson(text.slice(from, end)))) return broken();
    sink.end();
    return { state: 'done', rest: text.slice(end) };
  };
  const readPython = (): ReadState => {
    const body = text.slice(from);
    const match = /^```(?:python)?\n([\s\S]*?)\n?```/.exec(body);
    if (!match) return '```python\n'.startsWith(body) || /^```(?:python)?\n/.test(body) ? readOn : broken();
    const call = readPythonCalls(match[1]!);
    if (call?.length !== 1) return broken();
    sink.start(name ?? '');
    sink.args(call[0]!.argumentsText);
    sink.end();
    return { state: 'done', rest: body.slice(match[0].length) };
  };
  return {
    push(piece) {
      text += piece;
      if (name !== null) return isJson ? readJson(piece) : readPython();
      const head = /^\s*([^\s{`]+)[^\S\n]*\n\s*(?=[{`])/.exec(text);
      if (!head) return /^\s*[^\s{`]*[^\S\n]*(?:\n\s*)?$/.test(text) ? readOn : broken();
      name = head[1]!;
      from = head[0].length;
      isJson = text[from] === '{';
      if (!isJson) return readPython();
      sink.start(name);
      return readJson(text.slice(from));
    },
    end: broken,
  };
}
