import type { CallContext } from '../../core/call.ts';
import type { ChatRequest } from '../../core/chat.ts';
import type { AppError } from '../../core/errors.ts';
import type { Answer, StreamEvent } from '../../core/events.ts';
import type { FieldNames } from '../fields/field-names.ts';
import type { Begun } from './begin.ts';
import type { Framing } from './framing.ts';

/** How a dialect words the answer to one request; none of it needs to know how a request may end. */
export interface AnswerForm<Body, Item> {
  toBody(answer: Answer): Body;
  framing: Framing<Item>;
  /** Throws what `events` throw. */
  toRecords(events: AsyncIterable<StreamEvent>): AsyncIterable<Item>;
  /** The last record of an answer that failed after the status line. `sent`: what was relayed last, in whole records. */
  toErrorRecord(error: AppError, sent?: string | Uint8Array): Item;
}

/** What an HTTP request asks for. */
export interface Asked<Body, Item> {
  /**
   * Several prompts become one answer: the choices of the first come first. A function where something has to be asked
   * before they are known; it may throw.
   */
  chats: Chats | ((context: CallContext) => Promise<Chats>);
  names: FieldNames;
  /** Hears that the answer has begun, before anything of it is sent; left out: nobody does. It does not reject. */
  onBegun?(begun: Begun): Promise<void>;
  /** Called once the answer has begun. */
  formOf(begun: Begun): AnswerForm<Body, Item>;
  /** For clients that do not wait long for a first record; left out: a stream begins with its answer. */
  early?: EarlyStart<Body, Item>;
}

export type Chats = readonly [ChatRequest, ...ChatRequest[]];

/** A stream whose answer has not begun after so long begins without it: a failure is in its last record then. */
export interface EarlyStart<Body, Item> {
  afterMs: number;
  /** What it begins with. */
  records(): readonly Item[];
  /** Words the answer behind them. */
  form: AnswerForm<Body, Item>;
}
