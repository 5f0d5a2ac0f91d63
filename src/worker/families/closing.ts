import type { CallReader, ReadState } from './form.ts';
import { readOn } from './form.ts';

/** A reader with a closing marker behind it. Whatever else comes there is text: the call itself is whole. */
export function createClosingReader(inner: CallReader, close: string): CallReader {
  let isInside = true;
  /** White space behind the call, and what comes after it: the beginning of the marker. */
  let space = '';
  let tail = '';
  const readTail = (piece: string): ReadState => {
    const text = tail === '' ? piece.trimStart() : piece;
    space += tail === '' ? piece.slice(0, piece.length - text.length) : '';
    tail += text;
    if (tail.startsWith(close)) return { state: 'done', rest: tail.slice(close.length) };
    return close.startsWith(tail) ? readOn : { state: 'done', rest: space + tail };
  };
  const follow = (state: ReadState): ReadState => {
    if (state.state !== 'done') return state;
    isInside = false;
    return readTail(state.rest);
  };
  return {
    push: (text) => (isInside ? follow(inner.push(text)) : readTail(text)),
    end() {
      if (!isInside) return { state: 'done', rest: '' };
      const state = follow(inner.end());
      return state.state === 'open' ? { state: 'done', rest: '' } : state;
    },
  };
}
