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
  /** Whether what comes next is for the user: behind reasoning, and behind the text that opens the answer, where there is one. */
  readonly inAnswer: boolean;
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
  /** The prompt already opened what the user is told, or nothing opens it; left out: it did not. */
  startsInAnswer?: boolean;
  newCallId: () => string;
}

/** A longer text is read in parts, so that none is searched from its start again for each thing found in it. */
const partCharacters = 4096;
/**
 * How often the characters of an answer are looked at once more on average, after they turned out to be no call. Beyond
 * that the rest is text: an answer made of nothing but beginnings of calls takes linear time all the same.
 */
const mostLooks = 4;
const freeCharacters = 64 * 1024;
/** A beginning that is still in doubt behind so many characters is no call. */
const longestDoubt = 4096;

/**
 * Streaming parser of an answer. Reasoning is recognised only where it may stand: at the very start, unless its tags
 * say otherwise. What only looks like a call stays text. The cutting of the text into pieces changes nothing but where
 * deltas are cut.
 */
export function createOutputParser(options: OutputParserOptions): OutputParser {
  const { calls, reasoning } = options;
  const { layout = [], answers = [] } = reasoning;
  const writer = createBlockWriter(options.newCallId);
  const runs = createCallRuns(calls, writer);
  const ofTools = calls?.form.frameOf?.(calls.tools) ?? [];
  const frame = [...layout, ...answers, ...ofTools, ...(reasoning.anywhere ? [reasoning.open] : [])];
  const withCalls = createMarkerFinder([...(calls?.form.opens ?? []), ...frame]);
  const withoutCalls = createMarkerFinder(frame);
  let mode: 'start' | 'answer-start' | 'text' | 'reasoning' | 'call' = options.startsInReasoning
    ? 'reasoning'
    : 'start';
  /** A call without a marker that was begun for the model. */
  const isBareCall = calls?.begun === true && calls.form.opensBare !== undefined && !calls.form.beginsMarked;
  /** White space that may be layout, and behind it what is not decided: short, but for a part that has just come. */
  let space = '';
  let buffer = '';
  /** What is still to be read, the next part last. */
  const waiting: string[] = [];
  let moreOfToken = false;
  let isOver = false;
  let inAnswer = options.startsInAnswer ?? false;
  let pushed = 0;
  let looked = 0;
  if (options.startsInReasoning) writer.dropLeadingSpace();
  else if (isBareCall) mode = 'answer-start';

  const open = (opened: string, isBound: boolean) => {
    runs.open(opened, space, isBound);
    space = '';
    mode = 'call';
  };
  const beginReasoning = () => {
    space = '';
    mode = 'reasoning';
    inAnswer = false;
    writer.dropLeadingSpace();
  };
  /** Shows the first part of the buffer, but for white space at its end. */
  const release = (kind: 'text' | 'reasoning', length: number) => {
    const text = buffer.slice(0, length);
    const shown = text.trimEnd();
    if (shown === '') space += text;
    else {
      writer.show(kind, space + shown);
      space = text.slice(shown.length);
    }
    buffer = buffer.slice(length);
  };
  /** Consumes what it can of the buffer; true when the mode changed and there may be more. */
  const advance = (): boolean => {
    switch (mode) {
      case 'start':
        return advanceStart();
      case 'reasoning':
        return advanceReasoning();
      case 'answer-start':
        return advanceAnswerStart();
      case 'call':
        return advanceCall();
      case 'text':
        return advanceText();
    }
  };
  const advanceStart = (): boolean => {
    const text = buffer.trimStart();
    space += buffer.slice(0, buffer.length - text.length);
    buffer = text;
    if (text.startsWith(reasoning.open)) {
      buffer = text.slice(reasoning.open.length);
      beginReasoning();
      return true;
    }
    if (reasoning.open.startsWith(text)) return false;
    mode = 'answer-start';
    return true;
  };
  const advanceReasoning = (): boolean => {
    const at = buffer.indexOf(reasoning.close);
    if (at === -1) {
      release('reasoning', buffer.length - longestPartialMatch(buffer, [reasoning.close]));
      return false;
    }
    release('reasoning', at);
    space = '';
    writer.closeBlock();
    writer.dropLeadingSpace();
    buffer = buffer.slice(reasoning.close.length);
    mode = 'answer-start';
    return true;
  };
  const advanceAnswerStart = (): boolean => {
    if (isBareCall && runs.count === 0) {
      buffer = space + buffer;
      space = '';
      open('', true);
      return true;
    }
    const text = buffer.trimStart();
    space += buffer.slice(0, buffer.length - text.length);
    buffer = text;
    const verdict = !calls?.form.opensBare ? 'text' : text === '' ? 'wait' : calls.form.opensBare(text, calls.tools);
    if (verdict === 'wait' && text.length < longestDoubt) return false;
    if (verdict === 'call') open('', false);
    else mode = 'text';
    return true;
  };
  const advanceCall = (): boolean => {
    const rest = runs.push(buffer);
    if (rest !== null) lookAgain(rest, buffer.length);
    buffer = '';
    return rest !== null;
  };
  const lookAgain = (rest: string, isNew: number) => {
    looked += Math.max(0, rest.length - isNew);
    feed(rest);
    mode = 'text';
  };
  const advanceText = (): boolean => {
    const finder = looked > mostLooks * pushed + freeCharacters ? withoutCalls : withCalls;
    const found = finder.first(buffer, isOver && waiting.length === 0);
    if (!found?.marker) {
      release('text', found ? found.at : buffer.length);
      return false;
    }
    const { at, marker } = found;
    release('text', at);
    buffer = buffer.slice(marker.length);
    if (reasoning.anywhere && marker === reasoning.open) {
      writer.closeBlock();
      beginReasoning();
    } else if (frame.includes(marker)) {
      inAnswer = answers.includes(marker);
      space = '';
      writer.closeBlock();
      writer.dropLeadingSpace();
    } else {
      const isWhole = buffer === '' && waiting.length === 0 && !moreOfToken;
      // The prompt's own words come before any grammar, so what they opened is bound all the same.
      open(marker, isWhole || (calls?.begun === true && runs.count === 0));
    }
    return true;
  };
  const feed = (text: string) => {
    for (let end = text.length; end > 0; ) {
      const from = Math.max(0, end - partCharacters);
      // Halves of a character stay together.
      const start = from > 0 && isLowSurrogate(text.charCodeAt(from)) ? from - 1 : from;
      waiting.push(text.slice(start, end));
      end = start;
    }
  };
  const run = () => {
    for (;;) {
      if (buffer !== '' && advance()) continue;
      const next = waiting.pop();
      if (next === undefined) return;
      buffer += next;
    }
  };

  // A grammar is asked for before the first character.
  if (mode === 'answer-start') advance();
  return {
    push(text, follows = false) {
      pushed += text.length;
      moreOfToken = follows;
      feed(text);
      run();
      return writer.take();
    },
    end() {
      isOver = true;
      run();
      while (runs.isOpen) {
        lookAgain(runs.end(), 0);
        run();
      }
      if (mode === 'reasoning') writer.show('reasoning', buffer === '' ? '' : space + buffer.trimEnd());
      else writer.show('text', space + buffer);
      space = '';
      buffer = '';
      writer.closeBlock();
      return writer.take();
    },
    get inReasoning() {
      return mode === 'reasoning';
    },
    get inAnswer() {
      return mode !== 'reasoning' && (answers.length === 0 || (inAnswer && mode !== 'call'));
    },
    get toolCallCount() {
      return writer.toolCallCount;
    },
    get hasCutCall() {
      return writer.hasCutCall;
    },
    get inCall() {
      return runs.isOpen || (mode === 'answer-start' && buffer !== '');
    },
    get boundCall() {
      return runs.boundCall;
    },
  };
}

const isLowSurrogate = (code: number) => code >= 0xdc00 && code <= 0xdfff;

/** Finds the marker that stands first in a text; of two at one place, the longer. */
interface MarkerFinder {
  /**
   * `marker` null: none is there, and behind `at` one may begin. Null: none is, and none begins. `isOver`: nothing
   * follows the text, so that a marker need not wait for what may become a longer one.
   */
  first(text: string, isOver: boolean): { at: number; marker: string | null } | null;
}

function createMarkerFinder(markers: readonly string[]): MarkerFinder {
  if (markers.length === 0) return { first: () => null };
  const byLength = [...new Set(markers)].sort((a, b) => b.length - a.length);
  // One search for all: a search for each would read to the end of the text for every one that is not in it.
  const pattern = new RegExp(byLength.map((marker) => RegExp.escape(marker)).join('|'));
  return {
    first(text, isOver) {
      const found = pattern.exec(text);
      if (!found) {
        const at = text.length - longestPartialMatch(text, byLength);
        return at === text.length ? null : { at, marker: null };
      }
      const rest = text.slice(found.index);
      const mayGrow = !isOver && byLength.some((marker) => marker.length > rest.length && marker.startsWith(rest));
      return { at: found.index, marker: mayGrow ? null : found[0] };
    },
  };
}
