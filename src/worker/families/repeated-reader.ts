import type { CallReader, ReadState } from './form.ts';
import { readOn } from './form.ts';

/** What stands around several calls. White space between them is layout. */
export interface RepeatedSyntax {
  /** Text before the first call; left out: nothing. */
  before?: string;
  /** Text between calls; left out: nothing. */
  separator?: string;
  /** Begins every call. Its reader sees it too. */
  opens: string;
  /** Ends all of them. Where it does not come the calls stand all the same. */
  close: string;
}

/** Reads calls one after the other, each with a reader of its own. */
export function createRepeatedReader(syntax: RepeatedSyntax, next: () => CallReader): CallReader {
  const { before = '', separator = '', opens, close } = syntax;
  let reader: CallReader | null = null;
  let calls = 0;
  /** What was passed since the last call: no text, unless nothing comes of it. */
  let passed = '';
  /** What is still to be read between calls: short, but for a piece that has just come. */
  let text = '';
  let needed = before;

  const over = (rest: string): ReadState =>
    calls > 0 ? { state: 'done', rest: passed + rest } : { state: 'broken', text: passed + rest };
  const pass = (length: number) => {
    passed += text.slice(0, length);
    text = text.slice(length);
  };
  /** Null when a call begins. */
  const between = (): ReadState | null => {
    for (;;) {
      pass(text.length - text.trimStart().length);
      if (needed !== '') {
        if (text.startsWith(needed)) {
          pass(needed.length);
          needed = '';
          continue;
        }
        if (needed.startsWith(text)) return readOn;
        // Models leave the separator out.
        if (calls === 0) return over(text);
      }
      if (calls > 0 && text.startsWith(close)) return { state: 'done', rest: text.slice(close.length) };
      if (text.startsWith(opens)) return null;
      const mayBecome = opens.startsWith(text) || (calls > 0 && close.startsWith(text));
      return mayBecome ? readOn : over(text);
    }
  };
  const advance = (piece: string): ReadState => {
    let unread = piece;
    for (;;) {
      if (!reader) {
        text += unread;
        const state = between();
        if (state) return state;
        reader = next();
        unread = text;
        text = '';
      }
      const state = reader.push(unread);
      if (state.state === 'open') return state;
      reader = null;
      if (state.state === 'broken') return { state: 'broken', text: passed + state.text };
      calls++;
      passed = '';
      needed = separator;
      unread = state.rest;
    }
  };
  return {
    push: advance,
    end() {
      if (!reader)
        return calls > 0 && (text === '' || close.startsWith(text)) ? { state: 'done', rest: '' } : over(text);
      const state = reader.end();
      if (state.state === 'broken') return { state: 'broken', text: passed + state.text };
      return state;
    },
  };
}
