import type { ToolDefinition } from '../../core/chat.ts';
import type { ToolCall } from '../conversation/conversation.ts';

/**
 * Where a reader puts the calls it finds, one at a time: `start`, any number of `args`, `end`. A call that is started
 * may still turn out broken; then `end` never comes.
 */
export interface CallSink {
  start(name: string): void;
  /** A piece of the arguments as JSON text; all pieces of a call together are one JSON object. */
  args(text: string): void;
  end(): void;
}

/**
 * `open`: more is needed. `done`: the calls are over, and `rest` is what follows them. `broken`: what was read since the
 * last `end` is no call; `text` is all of it.
 */
export type ReadState = { state: 'open' } | { state: 'done'; rest: string } | { state: 'broken'; text: string };

/** Reads what follows the opening marker of one or more calls. */
export interface CallReader {
  push(text: string): ReadState;
  /** The answer ends here. A call that is whole but for its closing marker counts; never `open`. */
  end(): ReadState;
}

/** How the answer is begun for the model when a call is required. */
export interface Opening {
  /** Text that the answer begins with. */
  prefix: string;
  /** The grammar of all that follows `prefix`. */
  gbnf: string;
}

/** What the grammars of calls are made with. */
export interface GrammarDeps {
  /** A steady clock in milliseconds, for the budget of schema conversions. */
  nowMs: () => number;
  /** Is told of a tool whose calls have to be checked: the grammar does not keep all of its schema. */
  leaveOpen: (tool: ToolDefinition) => void;
  /** As `GrammarOptions.mostUnique`. */
  mostUnique: number | null;
}

/** Which tool a required call is for: null means any. */
interface OpeningWish {
  tools: readonly ToolDefinition[];
  named: ToolDefinition | null;
  how: GrammarDeps;
}

/** How a family of models writes tool calls. */
export interface ToolCallForm {
  readonly name: string;
  /** Texts that begin calls anywhere in an answer. */
  readonly opens: readonly string[];
  /** Those of `opens` whose calls no grammar binds. */
  readonly freeOpens?: readonly string[];
  /** Further texts of the form that a vocabulary may hold as control tokens; they are shown to the parser. */
  readonly markers: readonly string[];
  /** Texts that stand before calls of these tools and are no part of the answer. */
  readonly frameOf?: (tools: readonly ToolDefinition[]) => readonly string[];
  /** For forms without a marker: whether an answer that begins so (white space trimmed) is a call. */
  readonly opensBare?: (text: string, tools: readonly ToolDefinition[]) => 'call' | 'text' | 'wait';
  /** A required call begins with a marker, although the model itself may leave it out. */
  readonly beginsMarked?: boolean;
  /** `opened`: the marker that began the calls; empty for a bare one. */
  createReader(deps: { opened: string; tools: readonly ToolDefinition[]; sink: CallSink }): CallReader;
  /** The grammar of what follows an opening marker, or null when calls that the model begins itself stay free. */
  callGrammar(tools: readonly ToolDefinition[], how: GrammarDeps): string | null;
  requireCall(wish: OpeningWish): Opening;
  /** Calls as text, for a template that leaves the calls of earlier turns to their content. */
  readonly writeCalls?: (calls: readonly ToolCall[]) => string;
}

export const readOn: ReadState = { state: 'open' };
