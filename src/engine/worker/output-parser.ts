import type { StreamEvent } from '../../core/events.ts';
import { longestPartialMatch } from './stop-matcher.ts';

/** Splits generated text into blocks of text, reasoning and tool calls. */
export interface OutputParser {
  push(text: string): StreamEvent[];
  /** Closes what is open; a tool call that never became whole is given back as text. */
  end(): StreamEvent[];
  /** Whether the text pushed last belongs to reasoning. */
  readonly inReasoning: boolean;
  readonly toolCallCount: number;
  /** What of an open tool call was written after its tag, or null outside of one. */
  readonly openCall: string | null;
}

export interface OutputParserOptions {
  /** Read `<tool_call>{"name": …, "arguments": …}</tool_call>` (the Hermes and Qwen form). */
  tools: boolean;
  /** The prompt already opened a reasoning block. */
  startsInReasoning: boolean;
  newCallId: () => string;
}

const thinkOpen = '<think>';
const thinkClose = '</think>';
const callOpen = '<tool_call>';
const callClose = '</tool_call>';

/**
 * Streaming parser of the tagged form. Reasoning is recognised only where it may stand: at the very start of an
 * answer. A tool call is emitted whole, once its JSON is complete and valid; text that only looks like one stays text.
 */
export function createOutputParser(options: OutputParserOptions): OutputParser {
  let mode: 'start' | 'text' | 'reasoning' | 'call' = options.startsInReasoning ? 'reasoning' : 'start';
  let buffer = '';
  let nextBlockId = 0;
  let open: { kind: 'text' | 'reasoning'; blockId: number } | null = null;
  let toolCallCount = 0;
  let dropLeadingWhitespace = options.startsInReasoning;
  let out: StreamEvent[] = [];

  const closeBlock = () => {
    if (!open) return;
    out.push({ type: `${open.kind}-end`, blockId: open.blockId });
    open = null;
  };
  const emit = (kind: 'text' | 'reasoning', text: string) => {
    let shown = text;
    if (dropLeadingWhitespace) {
      shown = text.trimStart();
      if (shown !== '') dropLeadingWhitespace = false;
    }
    if (shown === '') return;
    if (open?.kind !== kind) {
      closeBlock();
      open = { kind, blockId: nextBlockId++ };
      out.push({ type: `${kind}-start`, blockId: open.blockId });
    }
    out.push({ type: `${kind}-delta`, blockId: open.blockId, text: shown });
  };
  const emitCall = (body: string) => {
    const call = parseCall(body);
    if (!call) {
      emit('text', callOpen + body + callClose);
      return;
    }
    closeBlock();
    const blockId = nextBlockId++;
    out.push({ type: 'tool-call-start', blockId, id: options.newCallId(), name: call.name });
    out.push({ type: 'tool-call-delta', blockId, argumentsText: call.argumentsText });
    out.push({ type: 'tool-call-end', blockId });
    toolCallCount++;
    // Whitespace between calls is layout, not text.
    dropLeadingWhitespace = true;
  };

  /** Consumes what it can of the buffer; true when the mode changed and there may be more. */
  const advance = (): boolean => {
    if (mode === 'start') {
      const text = buffer.trimStart();
      if (text.startsWith(thinkOpen)) {
        buffer = text.slice(thinkOpen.length);
        mode = 'reasoning';
        dropLeadingWhitespace = true;
        return true;
      }
      if (thinkOpen.startsWith(text)) return false;
      mode = 'text';
      return true;
    }
    if (mode === 'reasoning') {
      const at = buffer.indexOf(thinkClose);
      if (at !== -1) {
        emit('reasoning', buffer.slice(0, at).trimEnd());
        closeBlock();
        buffer = buffer.slice(at + thinkClose.length);
        mode = 'text';
        dropLeadingWhitespace = true;
        return true;
      }
      release('reasoning', [thinkClose], true);
      return false;
    }
    if (mode === 'call') {
      const at = buffer.indexOf(callClose);
      if (at === -1) return false;
      const body = buffer.slice(0, at);
      buffer = buffer.slice(at + callClose.length);
      mode = 'text';
      emitCall(body);
      return true;
    }
    if (!options.tools) {
      emit('text', buffer);
      buffer = '';
      return false;
    }
    const at = buffer.indexOf(callOpen);
    if (at !== -1) {
      emit('text', buffer.slice(0, at).trimEnd());
      buffer = buffer.slice(at + callOpen.length);
      mode = 'call';
      return true;
    }
    release('text', [callOpen], true);
    return false;
  };

  /** Shows the buffer but for an end that may become a tag, and for white space that may stand before one. */
  const release = (kind: 'text' | 'reasoning', tags: string[], holdWhitespace: boolean) => {
    let keep = longestPartialMatch(buffer, tags);
    if (holdWhitespace) {
      const shown = buffer.slice(0, buffer.length - keep);
      keep += shown.length - shown.trimEnd().length;
    }
    emit(kind, buffer.slice(0, buffer.length - keep));
    buffer = buffer.slice(buffer.length - keep);
  };

  const take = (): StreamEvent[] => {
    const events = out;
    out = [];
    return events;
  };

  return {
    push(text) {
      buffer += text;
      while (advance());
      return take();
    },
    end() {
      if (mode === 'call') {
        if (parseCall(buffer)) emitCall(buffer);
        else emit('text', callOpen + buffer);
      } else if (mode === 'reasoning') {
        emit('reasoning', buffer.trimEnd());
      } else {
        emit('text', buffer);
      }
      buffer = '';
      closeBlock();
      return take();
    },
    get inReasoning() {
      return mode === 'reasoning';
    },
    get toolCallCount() {
      return toolCallCount;
    },
    get openCall() {
      return mode === 'call' ? buffer : null;
    },
  };
}

/** Name and argument text of a call's JSON, or null when it is not one. */
function parseCall(body: string): { name: string; argumentsText: string } | null {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || !('name' in value) || typeof value.name !== 'string')
      return null;
    const given: unknown = 'arguments' in value ? value.arguments : {};
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return null;
    return { name: value.name, argumentsText: JSON.stringify(given) };
  } catch {
    // Not JSON: the caller shows it as text.
    return null;
  }
}
