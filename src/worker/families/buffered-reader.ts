import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';

/** A call that was read as a whole. */
export interface ParsedCall {
  name: string;
  /** A JSON object. */
  argumentsText: string;
}

/** A reader for forms that are only understood once their closing marker is there. `parse` gives null for no calls. */
export function createBufferedReader(deps: {
  sink: CallSink;
  close: string;
  parse: (body: string) => ParsedCall[] | null;
}): CallReader {
  const { sink, close, parse } = deps;
  let text = '';
  let searched = 0;
  const emit = (calls: ParsedCall[]) => {
    for (const call of calls) {
      sink.start(call.name);
      sink.args(call.argumentsText);
      sink.end();
    }
  };
  return {
    push(piece): ReadState {
      text += piece;
      const at = text.indexOf(close, searched);
      searched = Math.max(0, text.length - close.length + 1);
      if (at === -1) return readOn;
      const calls = parse(text.slice(0, at));
      if (!calls) return { state: 'broken', text };
      emit(calls);
      return { state: 'done', rest: text.slice(at + close.length) };
    },
    end(): ReadState {
      const calls = parse(text);
      if (!calls) return { state: 'broken', text };
      emit(calls);
      return { state: 'done', rest: '' };
    },
  };
}
