import type { WeightMix } from '../../core/quantization-advice.ts';
import type { GgufFacts } from './facts.ts';
import { tensorTypes } from './tensor-types.ts';

const byLabel = new Map([...tensorTypes.values()].map((type) => [type.label, type]));

/** Bits that one weight of a type takes, its share of the scales included; 0 for an unknown type. */
const bitsOf = (label: string) => {
  const type = byLabel.get(label);
  return type ? (type.blockBytes * 8) / type.blockElements : 0;
};

/**
 * The weights that a model multiplies a token with, by type, from its header: of a mixture of experts those that a token takes.
 */
export function weightMixOf(facts: GgufFacts): WeightMix {
  return mixOf(facts, facts.experts ? facts.experts.used / facts.experts.count : 1);
}

/** All weights that a model multiplies with, by type, from its header. */
export function wholeMixOf(facts: GgufFacts): WeightMix {
  return mixOf(facts, 1);
}

/** `ofExperts`: the share of experts that counts. */
function mixOf(facts: GgufFacts, ofExperts: number): WeightMix {
  const mix: Record<string, number> = {};
  for (const [label, bytes] of Object.entries(facts.bytesByType)) {
    // The rows of tokens are looked up; only where they serve as output too they are multiplied with.
    const isLookedUpOnly = label === facts.embeddingType && (!facts.tiedEmbedding || facts.isEncoder);
    const expertBytes = facts.expertBytesByType[label] ?? 0;
    const multiplied = bytes - (isLookedUpOnly ? facts.embeddingBytes : 0) - expertBytes * (1 - ofExperts);
    const bits = bitsOf(label);
    if (multiplied > 0 && bits > 0) mix[label] = (multiplied * 8) / bits;
  }
  return mix;
}

/** Shares of the weights of layers by type, as llama.cpp's quantizer mixes them for models of usual sizes. */
const mixes: Readonly<Record<string, WeightMix>> = {
  q2_k: { q2_k: 0.6, q3_k: 0.37, q4_k: 0.03 },
  q3_k_s: { q3_k: 1 },
  q3_k_m: { q3_k: 0.6, q4_k: 0.36, q5_k: 0.04 },
  q3_k_l: { q3_k: 0.6, q5_k: 0.4 },
  q4_0: { q4_0: 1 },
  q4_1: { q4_1: 1 },
  q4_k_s: { q4_k: 0.95, q5_k: 0.05 },
  q4_k_m: { q4_k: 0.83, q6_k: 0.17 },
  q5_0: { q5_0: 1 },
  q5_1: { q5_1: 1 },
  q5_k_s: { q5_k: 1 },
  q5_k_m: { q5_k: 0.83, q6_k: 0.17 },
  q6_k: { q6_k: 1 },
  q8_0: { q8_0: 1 },
  iq3_xxs: { iq3_xxs: 0.8, iq3_s: 0.2 },
  iq3_s: { iq3_s: 1 },
  iq3_m: { iq3_s: 0.8, q4_k: 0.2 },
  iq4_nl: { iq4_nl: 1 },
  iq4_xs: { iq4_xs: 0.95, q5_k: 0.05 },
};

/** Of all weights, where nothing else is known; it is kept in 6 bits, or as all others where those have more. */
const usualOutputShare = 0.1;

/** The weights of a model by its label alone, in shares; null for a label that says nothing of types. */
export function weightMixOfLabel(label: string, outputShare = usualOutputShare): WeightMix | null {
  const layers = mixes[label.replace(/^ud-/, '')];
  if (!layers) return null;
  const output = label === 'q8_0' ? 'q8_0' : 'q6_k';
  const mix = Object.fromEntries(Object.entries(layers).map(([type, share]) => [type, share * (1 - outputShare)]));
  return { ...mix, [output]: (mix[output] ?? 0) + outputShare };
}

/** Mean bits of one weight of a mix. */
export function bitsPerWeight(mix: WeightMix): number {
  const entries = Object.entries(mix);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  return entries.reduce((sum, [label, count]) => sum + count * bitsOf(label), 0) / total;
}
