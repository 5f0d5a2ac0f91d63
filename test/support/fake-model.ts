import type { GeneratedToken, Sequence } from '../../src/worker/sequence/sequence.ts';

/** What one step asked of a sequence. */
export interface FakeCall {
  slot: number;
  /** `prefill`: part of a prompt; `first`: its end, and a token; `next`: a token; `score`: its end, and shares. */
  type: 'prefill' | 'first' | 'next' | 'score';
  tokens: number;
}

export interface FakeModelOptions {
  slots: number;
  /** A state can only be used whole or where it was put aside, as on recurrent models. */
  wholeStatesOnly: boolean;
  /** How many of `limit` guesses come true, given the tokens so far. */
  accepted: (held: readonly number[], limit: number) => number;
  /** Evaluating this token fails everything in its decode call. */
  poison: number | null;
}

/** The answers' tokens; prompts use greater ones. */
const vocabularySize = 500;

/** The only right token after a text. It depends on every token before, so a wrong state shows at once. */
export function nextToken(tokens: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const token of tokens) hash = Math.imul(hash ^ token, 0x01000193) ^ (hash >>> 15);
  return 1 + ((hash >>> 0) % vocabularySize);
}

/** The share of a token after a text; like the next token it depends on every token before. */
export const shareOf = (tokens: readonly number[], candidate: number): number =>
  nextToken([...tokens, candidate]) / vocabularySize / 10;

/** What the model answers to a prompt when nothing goes wrong. */
export function coldTokens(prompt: readonly number[], count: number): number[] {
  const tokens = [...prompt];
  for (let made = 0; made < count; made++) tokens.push(nextToken(tokens));
  return tokens.slice(prompt.length);
}

/**
 * Sequences over a model that is a function of the tokens held. All calls of a step settle together, once the loop has
 * issued them all, as in one decode call. `steps`: the calls of each; `onDecode` runs while one is under way.
 */
export function fakeModel({ slots, wholeStatesOnly, accepted, poison }: FakeModelOptions) {
  const steps: FakeCall[][] = [];
  const scored: { held: readonly number[]; candidates: readonly number[] }[] = [];
  let current: { calls: FakeCall[]; isPoisoned: boolean } | null = null;
  let onDecode: () => void = () => {};
  const decode = async (call: FakeCall, tokens: readonly number[]) => {
    if (!current) {
      current = { calls: [], isPoisoned: false };
      steps.push(current.calls);
      setImmediate(() => {
        current = null;
        onDecode();
      });
    }
    pendingCopies = [];
    const step = current;
    step.calls.push(call);
    if (poison !== null && tokens.includes(poison)) step.isPoisoned = true;
    await new Promise((resolve) => setImmediate(resolve));
    if (step.isPoisoned) throw new Error('decode failed');
  };
  const heldBy = new WeakMap<Sequence, number[]>();
  /** Copies that were asked for and are made with the next decode call, as the library does. */
  let pendingCopies: { source: Sequence; target: Sequence }[] = [];

  const sequences = Array.from({ length: slots }, (_, slot): Sequence => {
    let held: number[] = [];
    /** Lengths at which it was put aside. */
    let aside: number[] = [];
    const cutTo = (length: number) => {
      if (!wholeStatesOnly || held.length <= length) return Math.min(length, held.length);
      return Math.max(0, ...aside.filter((known) => known <= length));
    };
    let limit = 0;
    let ready = 0;
    let proposed = 0;
    const replace = (tokens: readonly number[]) => {
      held = [...tokens];
      heldBy.set(sequence, held);
    };
    const reusable = (prompt: readonly number[]) => {
      let common = 0;
      while (common < held.length && common < prompt.length - 1 && held[common] === prompt[common]) common++;
      return cutTo(common);
    };
    const sequence: Sequence = {
      get length() {
        return held.length;
      },
      reusablePrefix: reusable,
      async adapt(prompt) {
        const kept = held.slice(0, reusable(prompt));
        aside = aside.filter((length) => length <= kept.length);
        replace(kept);
        return held.length;
      },
      needsCheckpoints: wholeStatesOnly,
      async checkpoint() {
        if (!aside.includes(held.length)) aside.push(held.length);
      },
      copyable: cutTo,
      async copyFrom(other, length) {
        const source = heldBy.get(other)!;
        const isRight = other.copyable(length) === length;
        // Where it cannot be done, what is left behind is nobody's state.
        replace(isRight ? source.slice(0, length) : [-1, -2, -3]);
        aside = [];
        pendingCopies.push({ source: other, target: sequence });
        return isRight;
      },
      async prefill(tokens) {
        await decode({ slot, type: 'prefill', tokens: tokens.length }, tokens);
        held.push(...tokens);
      },
      async score(tokens, candidates) {
        await decode({ slot, type: 'score', tokens: tokens.length }, tokens);
        held.push(...tokens);
        scored.push({ held: [...held], candidates });
        return candidates.map((candidate) => shareOf(held, candidate));
      },
      generate(prompt) {
        let input = prompt;
        let isFirst = true;
        ready = 0;
        return {
          async next(): Promise<GeneratedToken> {
            if (ready > 0) {
              // Evaluated already: only the guesses that are not taken yet lie behind it.
              ready--;
              const token = held[held.length - ready] ?? nextToken(held);
              input = ready > 0 ? [] : [token];
              return { token, logprob: null, top: [] };
            }
            await decode({ slot, type: isFirst ? 'first' : 'next', tokens: input.length }, input);
            held.push(...input);
            const token = nextToken(held);
            input = [token];
            if (!isFirst && limit > 0) {
              proposed += limit;
              ready = accepted(held, limit);
              for (let guess = 0; guess < ready; guess++) held.push(nextToken(held));
            }
            isFirst = false;
            return { token, logprob: null, top: [] };
          },
          async stop() {},
        };
      },
      draft: {
        get limit() {
          return limit;
        },
        set limit(tokens) {
          limit = tokens;
        },
        get ready() {
          return ready;
        },
        takeProposed() {
          const taken = proposed;
          proposed = 0;
          return taken;
        },
      },
      tokens: () => held,
      async saveState() {},
      async loadState() {},
      async reset() {
        aside = [];
        replace([]);
      },
    };
    heldBy.set(sequence, held);
    return sequence;
  });
  return {
    sequences,
    steps,
    scored,
    /** Puts a state into a sequence, as a load from the disk does. */
    put(sequence: Sequence, tokens: readonly number[]) {
      heldBy.get(sequence)!.splice(0, Number.POSITIVE_INFINITY, ...tokens);
      // What is still to be copied from here is now another state.
      for (const { source, target } of pendingCopies) {
        if (source === sequence) heldBy.get(target)!.fill(-6);
      }
    },
    onDecode(listener: () => void) {
      onDecode = listener;
    },
  };
}
