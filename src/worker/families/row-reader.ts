import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';
import { createJsonCallReader } from './json-call.ts';

/**
 * Reads calls as JSON objects one after the other. `list`: `[{…}, {…}]`, or one object without the brackets. `row`:
 * `{…}; {…}`, as long as another one comes.
 */
export function createRowReader(deps: {
  sink: CallSink;
  shape: 'list' | 'row';
  isKnown?: (name: string) => boolean;
}): CallReader {
  const { sink, shape } = deps;
  const separators = shape === 'list' ? ',' : ';';
  let reader: CallReader | null = null;
  /** Brackets, separators and white space since the last call: no text, unless nothing comes of them. */
  let lead = '';
  let text = '';
  let inList = false;
  let calls = 0;

  const givenBack = (rest: string): ReadState =>
    calls > 0 && !inList ? { state: 'done', rest: lead + rest } : { state: 'broken', text: lead + rest };
  /** Reads what stands between calls; null when a call begins. */
  const between = (): ReadState | null => {
    // A single object needs nothing behind it.
    if (shape === 'list' && calls > 0 && !inList) return { state: 'done', rest: text };
    for (let at = 0; at < text.length; at++) {
      const character = text[at]!;
      const take = () => {
        lead += text.slice(0, at + 1);
        text = text.slice(at + 1);
        at = -1;
      };
      if (character === '{') {
        lead += text.slice(0, at);
        text = text.slice(at);
        return null;
      }
      if (inList && character === ']') return { state: 'done', rest: text.slice(at + 1) };
      if (shape === 'list' && calls === 0 && !inList && character === '[') {
        inList = true;
        take();
      } else if (/\s/.test(character) || (calls > 0 && separators.includes(character))) take();
      else return givenBack(text);
    }
    return readOn;
  };
  const advance = (): ReadState => {
    for (;;) {
      if (!reader) {
        const state = between();
        if (state) return state;
        reader = createJsonCallReader({ sink, ...(deps.isKnown && { isKnown: deps.isKnown }) });
      }
      const piece = text;
      text = '';
      const state = reader.push(piece);
      if (state.state === 'open') return state;
      reader = null;
      if (state.state === 'broken') return givenBack(state.text);
      calls++;
      lead = '';
      text = state.rest;
    }
  };
  return {
    push(piece) {
      text += piece;
      return advance();
    },
    end() {
      if (reader) {
        const state = reader.end();
        return givenBack(state.state === 'broken' ? state.text : '');
      }
      return calls > 0 ? { state: 'done', rest: '' } : { state: 'broken', text: lead + text };
    },
  };
}
