import type { StreamEvent, Warning } from '../../core/events.ts';
import type { FailureDeps } from './errors.ts';
import type { ServiceRow } from './presets.ts';
import type { CallSignatures } from './signatures.ts';

/** Understands an answer as it comes. The same reader takes the records of a stream and an answer in one piece. */
export interface AnswerReader {
  /** One record, or the whole answer. Throws an `AppError` for a failure in it. */
  read(json: unknown): StreamEvent[];
  /**
   * The rest, `finish` last. `hasEnded`: the service said so itself (`[DONE]`, or a whole body). Throws
   * `upstream_unavailable` where the answer is not whole.
   */
  end(hasEnded: boolean): StreamEvent[];
  /**
   * The text of a record that was read, where another one that differs in nothing else can be told by `again`; null: it says more.
   * Left out, with `again`: each record is read whole.
   */
  onlyText?(json: unknown): string | null;
  /** What `read` would say of the last such record with this text. */
  again?(text: string): StreamEvent[];
  /** Whether an event has come that is the last of a stream; left out: only `[DONE]` is. */
  isOver?(): boolean;
}

/** What a reader has to know of the request. */
export interface ReaderDeps extends FailureDeps {
  row: ServiceRow;
  /** As it was asked for, where the answer does not name one. */
  model: string;
  /** How many answers were asked for. */
  choices: number;
  warnings: readonly Warning[];
  signatures: CallSignatures;
}
