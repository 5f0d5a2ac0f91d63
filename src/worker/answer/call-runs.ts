import type { ToolDefinition } from '../../core/chat.ts';
import type { CallReader, ReadState, ToolCallForm } from '../families/families.ts';
import type { BlockWriter } from './output-blocks.ts';

/** The calls that an answer may have. */
export interface ExpectedCalls {
  form: ToolCallForm;
  tools: readonly ToolDefinition[];
  /** A grammar binds calls that it sees from the beginning: they cannot turn out broken, so arguments stream. */
  bound: boolean;
  /** The answer is a call once reasoning is over: its opening was written for the model. */
  begun: boolean;
}

/** Runs of calls in an answer, one after the other: each is opened by a marker and read by the family's reader. */
interface CallRuns {
  /** Runs that were opened so far. */
  readonly count: number;
  readonly isOpen: boolean;
  /** Number of the open run when a grammar binds it; see `OutputParser`. */
  readonly boundCall: number | null;
  /** Begins a run; `before`: white space in front of it, shown only if there is no call after all. */
  open(opened: string, before: string, isBound: boolean): void;
  /** Reads on in the open run. Null while it goes on; at its end, the text that is no part of it. */
  push(piece: string): string | null;
  /** Ends the open run where the answer ends; the text that is no part of it. */
  end(): string;
}

export function createCallRuns(calls: ExpectedCalls | null, writer: BlockWriter): CallRuns {
  let run: { reader: CallReader; opened: string; before: string; callsBefore: number } | null = null;
  let count = 0;
  let boundCall: number | null = null;

  const restOf = (state: Exclude<ReadState, { state: 'open' }>): string => {
    const { opened, before, callsBefore } = run!;
    const hasCalls = writer.toolCallCount > callsBefore;
    let rest = '';
    if (state.state === 'done') rest = state.rest;
    else if (!writer.breakCall()) {
      if (!hasCalls) writer.show('text', before + opened);
      rest = state.text;
    }
    // White space between and after calls is layout, not text.
    if (hasCalls || state.state === 'done') writer.dropLeadingSpace();
    run = null;
    boundCall = null;
    return rest;
  };

  return {
    get count() {
      return count;
    },
    get isOpen() {
      return run !== null;
    },
    get boundCall() {
      return boundCall;
    },
    open(opened, before, isBound) {
      if (!calls) return;
      count++;
      boundCall = calls.bound && isBound && !calls.form.freeOpens?.includes(opened) ? count : null;
      const sink = writer.callSink(boundCall !== null);
      const reader = calls.form.createReader({ opened, tools: calls.tools, sink });
      run = { reader, opened, before, callsBefore: writer.toolCallCount };
    },
    push(piece) {
      const state = run!.reader.push(piece);
      return state.state === 'open' ? null : restOf(state);
    },
    end() {
      const state = run!.reader.end();
      return state.state === 'open' ? '' : restOf(state);
    },
  };
}
