import type { StreamTrace } from './trace.ts';

/** What the process of the bare loop is asked. */
export type ToBare =
  | { type: 'open'; options: BareOptions }
  | { type: 'run'; prompts: string[]; generateTokens: number }
  | { type: 'close' };

export interface BareOptions {
  modelPath: string;
  threads: number;
  streams: number;
  contextTokens: number;
  batchTokens: number;
  /** Aligned, ordered batches; false leaves batching to the library. */
  aligned: boolean;
}

/** Its answers: one to each question, in order. */
export type FromBare =
  | { type: 'done' }
  | { type: 'traces'; traces: StreamTrace[] }
  | { type: 'failed'; reason: string };
