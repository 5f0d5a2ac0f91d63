import type { StreamEvent } from '../../core/events.ts';
import type { CallSink } from '../families/families.ts';

/** Writes the blocks of an answer as events: one block at a time, ids in order. */
export interface BlockWriter {
  /** Adds text to the open block of its kind, or opens one. */
  show(kind: 'text' | 'reasoning', text: string): void;
  closeBlock(): void;
  /** White space that comes next is layout. */
  dropLeadingSpace(): void;
  /** Where a reader puts calls. `live`: each piece is an event at once; else a call appears when it is whole. */
  callSink(live: boolean): CallSink;
  /** Gives up a call that was started. True when parts of it are out already: then it ends as it is. */
  breakCall(): boolean;
  /** Calls begun, not counting ones that may still come to nothing. */
  readonly toolCallCount: number;
  /** Whether a call was given up of which parts are out. */
  readonly hasCutCall: boolean;
  /** The events since the last call of this. */
  take(): StreamEvent[];
}

export function createBlockWriter(newCallId: () => string): BlockWriter {
  let out: StreamEvent[] = [];
  let nextBlockId = 0;
  let open: { kind: 'text' | 'reasoning'; blockId: number } | null = null;
  let liveCall: number | null = null;
  let held: { name: string; argumentsText: string } | null = null;
  let toolCallCount = 0;
  let dropsSpace = false;
  let hasCutCall = false;

  const closeBlock = () => {
    if (!open) return;
    const { blockId } = open;
    // What this machine's models thought needs no proof of who thought it.
    out.push(
      open.kind === 'text' ? { type: 'text-end', blockId } : { type: 'reasoning-end', blockId, signature: null },
    );
    open = null;
  };
  const startCall = (name: string): number => {
    closeBlock();
    const blockId = nextBlockId++;
    toolCallCount++;
    out.push({ type: 'tool-call-start', blockId, id: newCallId(), name });
    return blockId;
  };
  const addArguments = (blockId: number, argumentsText: string) => {
    out.push({ type: 'tool-call-delta', blockId, argumentsText });
  };
  const endLiveCall = () => {
    if (liveCall !== null) out.push({ type: 'tool-call-end', blockId: liveCall });
    liveCall = null;
  };
  const liveSink: CallSink = {
    start(name) {
      liveCall = startCall(name);
    },
    args(text) {
      if (liveCall !== null) addArguments(liveCall, text);
    },
    end: endLiveCall,
  };
  const holdingSink: CallSink = {
    start(name) {
      held = { name, argumentsText: '' };
    },
    args(text) {
      if (held) held.argumentsText += text;
    },
    end() {
      if (!held) return;
      const blockId = startCall(held.name);
      addArguments(blockId, held.argumentsText);
      out.push({ type: 'tool-call-end', blockId });
      held = null;
    },
  };

  return {
    show(kind, text) {
      const shown = dropsSpace ? text.trimStart() : text;
      if (shown === '') return;
      dropsSpace = false;
      if (open?.kind !== kind) {
        closeBlock();
        open = { kind, blockId: nextBlockId++ };
        out.push({ type: `${kind}-start`, blockId: open.blockId });
      }
      out.push({ type: `${kind}-delta`, blockId: open.blockId, text: shown });
    },
    closeBlock,
    dropLeadingSpace() {
      dropsSpace = true;
    },
    callSink: (live) => (live ? liveSink : holdingSink),
    breakCall() {
      held = null;
      const streamed = liveCall !== null;
      hasCutCall ||= streamed;
      endLiveCall();
      return streamed;
    },
    get toolCallCount() {
      return toolCallCount;
    },
    get hasCutCall() {
      return hasCutCall;
    },
    take() {
      const events = out;
      out = [];
      return events;
    },
  };
}
