import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';
import { createUntilFinder } from './until.ts';

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
  const finder = createUntilFinder(close);
  const emit = (calls: ParsedCall[]) => {
    for (const call of calls) {
      sink.start(call.name);
      sink.args(call.argumentsText);
      sink.end();
    }
  };
  return {
    push(piece): ReadState {
      const found = finder.push(piece);
      if (!found) return readOn;
      const calls = parse(found.inside);
      if (!calls) return { state: 'broken', text: found.inside + close + found.rest };
      emit(calls);
      return { state: 'done', rest: found.rest };
    },
    end(): ReadState {
      const text = finder.seen;
      const calls = parse(text);
      if (!calls) return { state: 'broken', text };
      emit(calls);
      return { state: 'done', rest: '' };
    },
  };
}
