import type { DraftSource } from '../sequence/sequence.ts';
import { createSuffixIndex, type SuffixIndex } from './suffix-index.ts';

/** Answers that were given before, by what they answered to; small, and gone with the process. */
interface EarlierAnswers {
  /** Keeps a whole answer under the key of its request. */
  add(key: string, tokens: readonly number[]): void;
  /** Guesses for an answer to a request with this key; `generated` grows with the answer. */
  source(key: string, generated: readonly number[]): DraftSource;
}

interface Kept {
  answers: number[][];
  /** Of all `answers`, and of some that were dropped since; null until a guess is wanted. */
  index: SuffixIndex | null;
  /** Answers that went into the index. */
  indexed: number;
}

/** Stands before each answer in the index, so that its very first tokens have something to match. No token is negative. */
const start = [-4, -3, -2, -1];
const minMatchTokens = 4;
const answersPerKey = 4;
/** The rest of a longer answer is not kept: forms repeat at their beginning. */
const tokensPerAnswer = 2_048;

/**
 * The latest answers of each key; keys that were not used for longest go first. `maxTokens`: bound of what is kept in
 * all; a token takes about 100 bytes with its place in an index.
 */
export function createEarlierAnswers(maxTokens = 32_768): EarlierAnswers {
  // A map keeps the order of insertion: what is used is put in anew and so stands last.
  const kept = new Map<string, Kept>();
  let total = 0;

  const use = (key: string): Kept | null => {
    const found = kept.get(key);
    if (!found) return null;
    kept.delete(key);
    kept.set(key, found);
    return found;
  };
  const indexOf = (entry: Kept): SuffixIndex => {
    // Dropped answers stay in the index for a while; then it is built anew from those that are left.
    if (entry.indexed > 2 * answersPerKey) entry.index = null;
    if (!entry.index) {
      entry.index = createSuffixIndex(minMatchTokens);
      entry.indexed = 0;
      for (const answer of entry.answers) pushAnswer(entry, answer);
    }
    return entry.index;
  };
  const pushAnswer = (entry: Kept, answer: readonly number[]) => {
    if (!entry.index) return;
    for (const token of start) entry.index.push(token);
    for (const token of answer) entry.index.push(token);
    entry.indexed++;
  };

  return {
    add(key, tokens) {
      const answer = tokens.slice(0, Math.min(tokensPerAnswer, maxTokens));
      if (answer.length === 0) return;
      const entry = use(key) ?? { answers: [], index: null, indexed: 0 };
      kept.set(key, entry);
      entry.answers.push(answer);
      pushAnswer(entry, answer);
      total += answer.length;
      if (entry.answers.length > answersPerKey) total -= entry.answers.shift()!.length;
      for (const [oldKey, old] of kept) {
        if (total <= maxTokens) break;
        if (oldKey === key) {
          while (total > maxTokens) total -= old.answers.shift()!.length;
          old.index = null;
          break;
        }
        kept.delete(oldKey);
        total -= old.answers.reduce((sum, { length }) => sum + length, 0);
      }
    },
    source(key, generated) {
      const text = [...start];
      return {
        propose(maxGuesses) {
          const entry = use(key);
          if (!entry) return [];
          while (text.length < start.length + generated.length) text.push(generated[text.length - start.length]!);
          const guess = indexOf(entry).propose(maxGuesses, text);
          // Where an earlier answer ended, the next one of the index begins.
          const end = guess.findIndex((token) => token < 0);
          return end === -1 ? guess : guess.slice(0, end);
        },
      };
    },
  };
}
