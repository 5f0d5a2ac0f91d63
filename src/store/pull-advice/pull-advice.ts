import {
  type AdviseQuantization,
  type QuantizationAdvice,
  type QuantizationCandidate,
  withCommand,
} from '../../core/quantization-advice.ts';
import { type GgufFacts, preferredQuantizations, weightMixOf, weightMixOfLabel } from '../gguf/gguf.ts';

/** A quantization that can be pulled. */
interface Pullable {
  quantization: string;
  /** Null: nobody knows. */
  sizeBytes: number | null;
}

/**
 * Which of what a repository has is better on this processor than `chosen`, at about its size; null: none. `facts`: of the chosen
 * one, where its header was read; of the others the labels have to do.
 */
export function adviseAmong(
  advise: AdviseQuantization,
  chosen: Pullable,
  all: readonly Pullable[],
  facts: GgufFacts | null = null,
): QuantizationAdvice | null {
  const candidate = toCandidate(chosen);
  if (candidate === null) return null;
  const others = all.flatMap((other) => toCandidate(other) ?? []);
  return advise(facts === null ? candidate : { ...candidate, weights: weightMixOf(facts) }, others);
}

/** The same for the one that would be pulled when nobody names one. `fits`: what is too large is no advice. */
export function adviseForUsual<Item extends Pullable>(
  advise: AdviseQuantization,
  all: readonly Item[],
  fits: (one: Item) => boolean,
): QuantizationAdvice | null {
  const fitting = all.filter(fits);
  const usual = preferredQuantizations
    .map((label) => fitting.find(({ quantization }) => quantization === label))
    .find((found) => found !== undefined);
  return usual ? adviseAmong(advise, usual, fitting) : null;
}

/** The advice with the command that follows it; `name`: what the model is pulled by. */
export function withPull(advice: QuantizationAdvice | null, name: string): QuantizationAdvice | null {
  return advice && withCommand(advice, `hearth pull ${name}:${advice.quantization.toUpperCase()}`);
}

function toCandidate({ quantization, sizeBytes }: Pullable): QuantizationCandidate | null {
  if (sizeBytes === null) return null;
  return { quantization, sizeBytes, weights: weightMixOfLabel(quantization), measured: null };
}
