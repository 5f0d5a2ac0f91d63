import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';
import { createJsonScanner, isObject, parseJson } from './json-text.ts';

/** How the name of a call is written in front of its arguments. The patterns match at the start of what is left. */
export interface NamedSyntax {
  /** Up to the arguments; a group `name`, or `later`, is the name of the tool. */
  head: RegExp;
  /** What may still become a head. */
  partialHead: RegExp;
}

/** Names have 64 characters. White space in front does not count. */
const longestHead = 500;
/** What a pattern may look at behind it. */
const lookahead = 50;

/** Reads one call whose name stands before a JSON object of arguments. `done` comes with the closing brace. */
export function createNamedReader(deps: { syntax: NamedSyntax; sink: CallSink }): CallReader {
  const { syntax, sink } = deps;
  const scanner = createJsonScanner();
  /** All that came. It is joined, and not looked into before the call is over. */
  let text = '';
  /** What may become a head; then null. */
  let begun: string | null = '';
  /** Where the arguments begin. */
  let from = 0;
  const broken = (): ReadState => ({ state: 'broken', text });
  const readArguments = (piece: string): ReadState => {
    const length = scanner.push(piece);
    if (scanner.failed) return broken();
    sink.args(length === null ? piece : piece.slice(0, length));
    if (length === null) return readOn;
    const end = text.length - piece.length + length;
    if (!isObject(parseJson(text.slice(from, end)))) return broken();
    sink.end();
    return { state: 'done', rest: text.slice(end) };
  };
  return {
    push(piece) {
      text += piece;
      if (begun === null) return readArguments(piece);
      begun = (begun + piece).trimStart();
      const match = syntax.head.exec(begun);
      if (!match) return begun.length < longestHead + lookahead && syntax.partialHead.test(begun) ? readOn : broken();
      if (match[0].length > longestHead) return broken();
      const rest = begun.slice(match[0].length);
      begun = null;
      from = text.length - rest.length;
      sink.start(nameOf(match));
      return readArguments(rest);
    },
    end: broken,
  };
}

const nameOf = ({ groups }: RegExpExecArray) => groups?.['name'] ?? groups?.['later'] ?? '';
