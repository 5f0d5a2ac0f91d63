import type { StreamEvent } from '../../core/events.ts';
import type { ReasoningTags } from '../families/families.ts';
import { longestPartialMatch } from '../text/text.ts';
import { createCallRuns, type ExpectedCalls } from './call-runs.ts';
import { createBlockWriter } from './output-blocks.ts';

/** Splits generated text into blocks of text, reasoning and tool calls. */
export interface OutputParser {
  /** `follows`: whether more of the same token comes behind it. */
  push(text: string, follows?: boolean): StreamEvent[];
  /** Closes what is open; calls that never became whole are given back as text, unless they were streamed. */
  end(): StreamEvent[];
  /** Whether the text pushed last belongs to reasoning. */
  readonly inReasoning: boolean;
  readonly toolCallCount: number;
  /** Whether a call ended in the middle of its arguments. */
  readonly hasCutCall: boolean;
  /** Whether what comes next belongs to a call, or may: the beginning of one without a marker is in doubt for a while. */
  readonly inCall: boolean;
  /**
   * Number of the run of calls that is open, from 1, when a grammar sees it from its first character; null outside of
   * calls, and where the token that opened them already carried a part of what follows.
   */
  readonly boundCall: number | null;
}

interface OutputParserOptions {
  /** How calls are written, or null when the request has no tools: then nothing is taken for one. */
  calls: ExpectedCalls | null;
  reasoning: ReasoningTags;
  /** The prompt already opened a reasoning block. */
  startsInReasoning: boolean;
  newCallId: () => string;
}

/**
 * Streaming parser of an answer. Reasoning is recognised only where it may stand: at the very start. What only looks
 * like a call stays text. The cutting of the text into pieces changes nothing but where deltas are cut.
 */
export function createOutputParser(options: OutputParserOptions): OutputParser {
  const { calls, reasoning } = options;
  const writer = createBlockWriter(options.newCallId);
  const runs = createCallRuns(calls, writer);
  let mode: 'start' | 'answer-start' | 'text' | 'reasoning' | 'call' = options.startsInReasoning
    ? 'reasoning'
    : 'start';
  /** A call without a marker that was begun for the model. */
  const isBareCall = calls?.begun === true && calls.form.opensBare !== undefined;
  let buffer = '';
  let moreOfToken = false;
  if (options.startsInReasoning) writer.dropLeadingSpace();
  else if (isBareCall) mode = 'answer-start';

  const open = (opened: string, before: string, isBound: boolean) => {
    runs.open(opened, before, isBound);
    mode = 'call';
  };
  /** Consumes what it can of the buffer; true when the mode changed and there may be more. */
  const advance = (): boolean => {
    switch (mode) {
      case 'start': {
        const text = buffer.trimStart();
        if (text.startsWith(reasoning.open)) {
          buffer = text.slice(reasoning.open.length);
          mode = 'reasoning';
          writer.dropLeadingSpace();
          return true;
        }
        if (reasoning.open.startsWith(text)) return false;
        mode = 'answer-start';
        return true;
      }
      case 'reasoning': {
        const at = buffer.indexOf(reasoning.close);
        if (at === -1) {
          release('reasoning', [reasoning.close]);
          return false;
        }
        writer.show('reasoning', buffer.slice(0, at).trimEnd());
        writer.closeBlock();
        writer.dropLeadingSpace();
        buffer = buffer.slice(at + reasoning.close.length);
        mode = 'answer-start';
        return true;
      }
      case 'answer-start':
        return advanceAnswerStart();
      case 'call': {
        const rest = runs.push(buffer);
        buffer = rest ?? '';
        if (rest !== null) mode = 'text';
        return rest !== null;
      }
      case 'text':
        return advanceText();
    }
  };
  const advanceAnswerStart = (): boolean => {
    if (isBareCall && runs.count === 0) {
      open('', '', true);
      return true;
    }
    const text = buffer.trimStart();
    const verdict = !calls?.form.opensBare ? 'text' : text === '' ? 'wait' : calls.form.opensBare(text, calls.tools);
    if (verdict === 'wait') return false;
    if (verdict === 'text') mode = 'text';
    else {
      open('', buffer.slice(0, buffer.length - text.length), false);
      buffer = text;
    }
    return true;
  };
  const advanceText = (): boolean => {
    const opens = calls?.form.opens ?? [];
    const found = firstOf(buffer, opens);
    if (found) {
      const before = buffer.slice(0, found.at);
      const shown = before.trimEnd();
      writer.show('text', shown);
      buffer = buffer.slice(found.at + found.marker.length);
      const isWhole = buffer === '' && !moreOfToken;
      // The prompt's own words come before any grammar, so what they opened is bound all the same.
      open(found.marker, before.slice(shown.length), isWhole || (calls?.begun === true && runs.count === 0));
      return true;
    }
    if (opens.length > 0) release('text', opens);
    else {
      writer.show('text', buffer);
      buffer = '';
    }
    return false;
  };

  /** Shows the buffer but for an end that may become a tag, and for white space that may stand before one. */
  const release = (kind: 'text' | 'reasoning', tags: readonly string[]) => {
    const end = buffer.length - longestPartialMatch(buffer, tags);
    const shown = buffer.slice(0, end).trimEnd();
    writer.show(kind, shown);
    buffer = buffer.slice(shown.length);
  };

  // A grammar is asked for before the first character.
  if (mode === 'answer-start') advance();
  return {
    push(text, follows = false) {
      buffer += text;
      moreOfToken = follows;
      if (buffer !== '') while (advance());
      return writer.take();
    },
    end() {
      while (runs.isOpen) {
        buffer = runs.end();
        mode = 'text';
        while (buffer !== '' && advance());
      }
      writer.show(mode === 'reasoning' ? 'reasoning' : 'text', mode === 'reasoning' ? buffer.trimEnd() : buffer);
      buffer = '';
      writer.closeBlock();
      return writer.take();
    },
    get inReasoning() {
      return mode === 'reasoning';
    },
    get toolCallCount() {
      return writer.toolCallCount;
    },
    get hasCutCall() {
      return writer.hasCutCall;
    },
    get inCall() {
      return runs.isOpen || (mode === 'answer-start' && buffer.trim() !== '');
    },
    get boundCall() {
      return runs.boundCall;
    },
  };
}

/** The marker that stands first in a text; of two at one place, the longer. */
function firstOf(text: string, markers: readonly string[]): { at: number; marker: string } | null {
  let first: { at: number; marker: string } | null = null;
  for (const marker of markers) {
    const at = text.indexOf(marker);
    if (at === -1) continue;
    if (!first || at < first.at || (at === first.at && marker.length > first.marker.length)) first = { at, marker };
  }
  return first;
}
