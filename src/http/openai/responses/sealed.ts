import type { Seal } from '../../../auth/seal.ts';
import type { ReasoningPart } from '../../../core/content.ts';

/** What clients hold for us without being able to read it: reasoning, and what a conversation was made shorter to. */
export interface Sealed {
  sealReasoning(part: Omit<ReasoningPart, 'type'>): string;
  /** Null: it is none of ours. */
  openReasoning(sealed: string): ReasoningPart | null;
  sealSummary(text: string): string;
  openSummary(sealed: string): string | null;
}

/** `owner`: id of the principal; what one got, another cannot use. */
export function createSealed(seal: Seal, owner: string): Sealed {
  return {
    sealReasoning: ({ text, signature, redactedData, origin }) =>
      seal.seal(JSON.stringify({ text, signature, redactedData, origin }), 'reasoning', owner),
    openReasoning(sealed) {
      const opened = seal.open(sealed, 'reasoning', owner);
      // Only what `sealReasoning` wrote can be opened.
      if (opened === null) return null;
      const part: Omit<ReasoningPart, 'type'> = JSON.parse(opened);
      return { type: 'reasoning', ...part };
    },
    sealSummary: (text) => seal.seal(text, 'compaction', owner),
    openSummary: (sealed) => seal.open(sealed, 'compaction', owner),
  };
}
