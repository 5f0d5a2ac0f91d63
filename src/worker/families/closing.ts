import type { CallReader, ReadState } from './form.ts';
import { readOn } from './form.ts';

/** A reader with a closing marker behind it. Whatever else comes there is text: the call itself is whole. */
export function createClosingReader(inner: CallReader, close: string): CallReader {
  let tail: string | null = null;
  const readTail = (): ReadState => {
    const text = (tail ?? '').trimStart();
    if (text.startsWith(close)) return { state: 'done', rest: text.slice(close.length) };
    return close.startsWith(text) ? readOn : { state: 'done', rest: tail ?? '' };
  };
  const follow = (state: ReadState): ReadState => {
    if (state.state !== 'done') return state;
    tail = state.rest;
    return readTail();
  };
  return {
    push(text) {
      if (tail === null) return follow(inner.push(text));
      tail += text;
      return readTail();
    },
    end: () => (tail === null ? inner.end() : { state: 'done', rest: close.startsWith(tail.trimStart()) ? '' : tail }),
  };
}
