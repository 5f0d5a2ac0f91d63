import type { Sampling } from '../../core/chat.ts';
import type { GeneratedToken } from '../sequence/sequence.ts';
import { samplingDefaults } from './sampler.ts';

/** Chooses a token in our own code, from the likeliest candidates of the library. */
interface Picker {
  /**
   * `candidates`: token to probability at temperature 1, normalised over the candidates. `position`: tokens of the
   * answer so far.
   */
  pick(candidates: ReadonlyMap<number, number>, position: number): GeneratedToken;
}

/**
 * A sampler for what the library's own cannot do: log probabilities at a bearable price, answers that must not end yet,
 * a bias on end tokens, and typical_p. Order as in llama.cpp: top_k, typical_p, top_p, min_p, temperature. `random`: uniform
 * in [0, 1).
 */
export function createPicker(deps: {
  sampling: Sampling;
  topLogprobs: number | null;
  isEnd: (token: number) => boolean;
  random: () => number;
}): Picker {
  const { sampling, isEnd } = deps;
  const temperature = sampling.temperature ?? samplingDefaults.temperature;
  const topP = sampling.topP ?? samplingDefaults.topP;
  const minP = sampling.minP ?? samplingDefaults.minP;
  const topK = sampling.topK ?? samplingDefaults.topK;

  return {
    pick(candidates, position) {
      const ranked = rank(candidates);
      const mayEnd = !sampling.ignoreEnd && position >= (sampling.minTokens ?? 0);
      const allowed = mayEnd ? ranked : ranked.filter(([token]) => !isEnd(token));
      // Only end tokens were likely at all: there is nothing else to say.
      const pool = allowed.length === 0 ? ranked : allowed;
      const token = temperature === 0 ? pool[0]![0] : choose(pool);
      const wanted = deps.topLogprobs;
      return {
        token,
        logprob: wanted === null ? null : Math.log(ranked.find(([candidate]) => candidate === token)![1]),
        top: ranked.slice(0, wanted ?? 0).map(([candidate, p]) => ({ token: candidate, logprob: Math.log(p) })),
      };
    },
  };

  /** Likeliest first, with the wishes for end tokens: the library takes a bias for any token but those. */
  function rank(candidates: ReadonlyMap<number, number>): [number, number][] {
    const biased = [...candidates].map(([token, p]): [number, number] => {
      const bias = isEnd(token) ? (sampling.logitBias?.[token] ?? 0) : 0;
      return [token, bias <= -100 ? 0 : p * Math.exp(bias)];
    });
    const total = biased.reduce((sum, [, p]) => sum + p, 0);
    return biased
      .filter(([, p]) => p > 0)
      .map(([token, p]): [number, number] => [token, p / total])
      .sort((a, b) => b[1] - a[1]);
  }

  function choose(pool: [number, number][]): number {
    const cut = typical(topK > 0 ? pool.slice(0, topK) : pool, sampling.typicalP ?? 1);
    const total = cut.reduce((sum, [, p]) => sum + p, 0);
    const kept: [number, number][] = [];
    let mass = 0;
    for (const [token, p] of cut) {
      // The best candidate always stays.
      if (kept.length > 0 && (mass >= topP * total || p < minP * cut[0]![1])) break;
      kept.push([token, p]);
      mass += p;
    }
    const weights = kept.map(([, p]) => (p / kept[0]![1]) ** (1 / temperature));
    let point = deps.random() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of weights.entries()) {
      point -= weight;
      if (point < 0) return kept[index]![0];
    }
    return kept.at(-1)![0];
  }
}

/**
 * Of the candidates those whose surprise is nearest to the expected one, until they hold more than `share` of the whole; in
 * their order. Source: "Locally Typical Sampling", Meister et al. 2022, as llama.cpp does it.
 */
function typical(pool: [number, number][], share: number): [number, number][] {
  if (share >= 1) return pool;
  const total = pool.reduce((sum, [, p]) => sum + p, 0);
  const surprises = pool.map(([, p]) => -Math.log(p / total));
  const expected = pool.reduce((sum, [, p], index) => sum + (p / total) * surprises[index]!, 0);
  const byDistance = pool
    .map((candidate, index) => ({ candidate, distance: Math.abs(surprises[index]! - expected) }))
    .sort((a, b) => a.distance - b.distance);
  const kept = new Set<[number, number]>();
  let mass = 0;
  for (const { candidate } of byDistance) {
    kept.add(candidate);
    mass += candidate[1] / total;
    if (mass > share) break;
  }
  return pool.filter((candidate) => kept.has(candidate));
}

/**
 * A small seeded generator of uniform numbers in [0, 1): the same seed gives the same answer.
 * Source: the mulberry32 generator (Tommy Ettinger), public domain.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
