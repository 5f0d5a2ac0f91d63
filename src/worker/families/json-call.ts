import type { CallReader, CallSink } from './form.ts';
import { readOn } from './form.ts';
import { createJsonScanner, isObject, parseJson } from './json-text.ts';

/** The beginning of a call whose name comes first: from there on its arguments are known as such while they come. */
const head =
  /^\s*\{\s*(?:"(?:type|id|tool_call_id)"\s*:\s*"[^"\\]*"\s*,\s*)?"(?:tool_)?name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)/;
/** No head is longer: names have 64 characters. */
const longestHead = 2_000;

/**
 * Reads one call written as a JSON object with `name` (or `tool_name`) and `arguments` (or `parameters`). `isKnown`:
 * whether a call of that name is one at all. `done` comes with the closing brace.
 */
export function createJsonCallReader(deps: { sink: CallSink; isKnown?: (name: string) => boolean }): CallReader {
  const { sink, isKnown = () => true } = deps;
  const scanner = createJsonScanner();
  const argumentScanner = createJsonScanner();
  /** All that came. Behind the head it is only joined: to look into it each time would copy it each time. */
  let text = '';
  let hasHead = false;
  let argumentsEnded = false;

  const broken = () => ({ state: 'broken', text }) as const;
  const streamArguments = (piece: string): void => {
    if (argumentsEnded) return;
    const length = argumentScanner.push(piece);
    argumentsEnded = length !== null;
    const given = length === null ? piece : piece.slice(0, length);
    if (given !== '') sink.args(given);
  };
  /** What of the piece belongs to arguments that are known as such; null when they are of no tool. */
  const readHead = (piece: string): string | null => {
    if (hasHead) return piece;
    // A head ends before a brace.
    if (text.length - piece.length > longestHead || !piece.includes('{')) return '';
    const match = head.exec(text);
    const name = match ? parseJson(match[1]!) : null;
    if (!match || typeof name !== 'string') return '';
    if (!isKnown(name)) return null;
    hasHead = true;
    sink.start(name);
    return text.slice(match[0].length);
  };

  return {
    push(piece) {
      text += piece;
      const length = scanner.push(piece);
      if (scanner.failed) return broken();
      const given = readHead(piece);
      if (given === null) return broken();
      if (length === null) {
        if (given !== '') streamArguments(given);
        return readOn;
      }
      const end = text.length - piece.length + length;
      const call = toCall(text.slice(0, end));
      if (!call || !isKnown(call.name)) return broken();
      if (hasHead) streamArguments(given);
      else {
        sink.start(call.name);
        sink.args(JSON.stringify(call.given));
      }
      sink.end();
      return { state: 'done', rest: text.slice(end) };
    },
    end: broken,
  };
}

/** Name and arguments of a whole call, or null when it is none. Arguments may be JSON within a string. */
function toCall(text: string): { name: string; given: object } | null {
  const value = parseJson(text);
  if (!isObject(value)) return null;
  const name = value['name'] ?? value['tool_name'];
  if (typeof name !== 'string') return null;
  const written = value['arguments'] ?? value['parameters'] ?? {};
  const given = typeof written === 'string' ? parseJson(written) : written;
  return isObject(given) ? { name, given } : null;
}
