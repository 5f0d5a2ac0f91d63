import type { CallReader, CallSink } from './form.ts';
import { readOn } from './form.ts';
import { createJsonScanner, isObject, parseJson } from './json-text.ts';

/** The beginning of a call whose name comes first: from there on its arguments are known as such while they come. */
const head =
  /^\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)/;
/** No head is longer: names have 64 characters. */
const longestHead = 2_000;

/**
 * Reads one call written as a JSON object with `name` and `arguments` (or `parameters`). `isKnown`: whether a call of
 * that name is one at all. `done` comes with the closing brace.
 */
export function createJsonCallReader(deps: { sink: CallSink; isKnown?: (name: string) => boolean }): CallReader {
  const { sink, isKnown = () => true } = deps;
  const scanner = createJsonScanner();
  const argumentScanner = createJsonScanner();
  let text = '';
  /** Where the arguments that are not handed on yet begin; null before the head is read. */
  let from: number | null = null;
  let argumentsEnded = false;

  const broken = () => ({ state: 'broken', text }) as const;
  const streamArguments = (): void => {
    if (from === null || argumentsEnded) return;
    const length = argumentScanner.push(text.slice(from));
    const piece = length === null ? text.slice(from) : text.slice(from, from + length);
    argumentsEnded = length !== null;
    from += piece.length;
    if (piece !== '') sink.args(piece);
  };
  const readHead = (): 'ok' | 'unknown' => {
    if (from !== null || text.length > longestHead) return 'ok';
    const match = head.exec(text);
    const name = match ? parseJson(match[1]!) : null;
    if (!match || typeof name !== 'string') return 'ok';
    if (!isKnown(name)) return 'unknown';
    from = match[0].length;
    sink.start(name);
    return 'ok';
  };

  return {
    push(piece) {
      text += piece;
      const length = scanner.push(piece);
      if (scanner.failed || readHead() === 'unknown') return broken();
      if (length === null) {
        streamArguments();
        return readOn;
      }
      const end = text.length - piece.length + length;
      const call = toCall(text.slice(0, end));
      if (!call || !isKnown(call.name)) return broken();
      if (from === null) {
        sink.start(call.name);
        sink.args(JSON.stringify(call.given));
      } else streamArguments();
      sink.end();
      return { state: 'done', rest: text.slice(end) };
    },
    end: broken,
  };
}

/** Name and arguments of a whole call, or null when it is none. Arguments may be JSON within a string. */
function toCall(text: string): { name: string; given: object } | null {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || !('name' in value) || typeof value.name !== 'string') return null;
  const written = 'arguments' in value ? value.arguments : 'parameters' in value ? value.parameters : {};
  const given = typeof written === 'string' ? parseJson(written) : written;
  return isObject(given) ? { name: value.name, given } : null;
}
