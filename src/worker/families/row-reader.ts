import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';
import { createJsonCallReader } from './json-call.ts';

/**
 * Reads calls as JSON objects one after the other. `list`: `[{…}, {…}]`, or one object without the brackets. `row`:
 * `{…}; {…}`, as long as another one comes. `lines`: a row with nothing but white space between.
 */
export function createRowReader(deps: {
  sink: CallSink;
  shape: 'list' | 'row' | 'lines';
  isKnown?: (name: string) => boolean;
}): CallReader {
  const { sink, shape } = deps;
  const separators = { list: ',', row: ';', lines: ',' }[shape];
  let reader: CallReader | null = null;
  /** Brackets, separators and white space since the last call: no text, unless nothing comes of them. */
  let lead = '';
  let inList = false;
  let calls = 0;

  const givenBack = (rest: string): ReadState =>
    calls > 0 && !inList ? { state: 'done', rest: lead + rest } : { state: 'broken', text: lead + rest };
  /** Where in a piece that stands between calls the next one begins; a state where none does. */
  const between = (text: string): ReadState | number => {
    // A single object needs nothing behind it.
    if (shape === 'list' && calls > 0 && !inList) return { state: 'done', rest: text };
    for (let at = 0; at < text.length; at++) {
      const character = text[at]!;
      if (character === '{') {
        lead += text.slice(0, at);
        return at;
      }
      if (inList && character === ']') return { state: 'done', rest: text.slice(at + 1) };
      if (shape === 'list' && calls === 0 && !inList && character === '[') inList = true;
      else if (!/\s/.test(character) && !(calls > 0 && separators.includes(character))) return givenBack(text);
    }
    lead += text;
    return readOn;
  };
  return {
    push(piece) {
      let text = piece;
      for (;;) {
        if (!reader) {
          const found = between(text);
          if (typeof found !== 'number') return found;
          text = text.slice(found);
          reader = createJsonCallReader({ sink, ...(deps.isKnown && { isKnown: deps.isKnown }) });
        }
        const state = reader.push(text);
        if (state.state === 'open') return state;
        reader = null;
        if (state.state === 'broken') return givenBack(state.text);
        calls++;
        lead = '';
        text = state.rest;
      }
    },
    end() {
      if (reader) {
        const state = reader.end();
        return givenBack(state.state === 'broken' ? state.text : '');
      }
      return calls > 0 ? { state: 'done', rest: '' } : { state: 'broken', text: lead };
    },
  };
}
