/** Remembers which beginnings of prompts were seen, so that only what comes back is stored. */
interface PromptHistory {
  /**
   * Notes a prompt that was read. Returns how many of its leading tokens were seen before and what they cost; null when
   * too few to count were.
   * `prefillMs`: what reading all of `tokens` costs. For a prompt that was partly reused, the cost without reuse;
   * 0 when that is not known: the largest cost that was noted for a prefix counts.
   */
  note(tokens: readonly number[], prefillMs: number, owner: string): { length: number; costMs: number } | null;
}

/** Marks in memory: about 170 prompts of 2,000 tokens, in less than a megabyte. */
const maxMarks = 4096;

/** The first mark of a prompt, and the distance between marks at its beginning. */
const firstMarkTokens = 64;

/**
 * What is seen a second time is admitted to the cache: most prompts never come back, and a state is large. The memory is bounded and forgets what
 * was not seen for longest; a hash that collides only stores something too early.
 */
export function createPromptHistory(): PromptHistory {
  /** Cost in milliseconds of the prefix, by its hash; the least recently seen first. */
  const costs = new Map<number, number>();
  return {
    note(tokens, prefillMs, owner) {
      let seen: { length: number; costMs: number } | null = null;
      const hash = startHash(owner);
      let mark = firstMarkTokens;
      for (let index = 0; index < tokens.length; index++) {
        hash.add(tokens[index]!);
        const length = index + 1;
        if (length < mark) continue;
        mark = nextMark(length);
        const key = hash.value();
        const known = costs.get(key);
        const costMs = Math.max(known ?? 0, (prefillMs * length) / tokens.length);
        if (known !== undefined) seen = { length, costMs };
        costs.delete(key);
        costs.set(key, costMs);
      }
      for (const key of costs.keys()) {
        if (costs.size <= maxMarks) break;
        costs.delete(key);
      }
      return seen;
    },
  };
}

/**
 * Marks stand 64 tokens apart at first, and at most an eighth of the prefix apart later: with even distances a few
 * long prompts would push everything else out of the memory.
 */
function nextMark(length: number): number {
  const step = 2 ** Math.floor(Math.log2(Math.max(length, 8 * firstMarkTokens))) / 8;
  return (Math.floor(length / step) + 1) * step;
}

/** A hash of 53 bits over everything added so far (two multiplicative hashes side by side). */
function startHash(owner: string): { add(value: number): void; value(): number } {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  const add = (value: number) => {
    high = Math.imul(high ^ value, 0x01000193);
    high ^= high >>> 15;
    low = Math.imul(low + value, 0x85ebca6b);
    low ^= low >>> 13;
  };
  for (let index = 0; index < owner.length; index++) add(owner.charCodeAt(index));
  // Ends the owner, so that its last character is not taken for a token.
  add(-1);
  return { add, value: () => (high >>> 0) * 2 ** 21 + (low >>> 11) };
}
