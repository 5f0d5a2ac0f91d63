import type { BatchingOptions } from 'node-llama-cpp';

/** A sequence that never queues its next token must not hold the others for ever. */
const mostWaits = 100;

/**
 * Batches that wait until every running sequence has queued its token, and hold the sequences in ascending order of their
 * `evaluationPriority`. `active`: how many run now.
 */
export function alignedBatching(active: () => number): BatchingOptions {
  let waits = 0;
  return {
    itemPrioritizationStrategy({ items, size }) {
      if (items.length < active() && waits < mostWaits) {
        waits++;
        return [];
      }
      waits = 0;
      const ordered = [...items].sort((left, right) => left.evaluationPriority - right.evaluationPriority);
      // One token for everybody first, then what is left to the prompts, in order.
      let left = size - ordered.length;
      return ordered.map((item) => {
        const more = Math.max(0, Math.min(left, item.tokens.length - 1));
        left -= more;
        return { item, processAmount: 1 + more };
      });
    },
  };
}
