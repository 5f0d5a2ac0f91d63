import type {
  AdviseQuantization,
  Pace,
  QuantizationAdvice,
  QuantizationCandidate,
  WeightMix,
} from '../core/quantization-advice.ts';

/** How fast kernels run a model that is one type of weights throughout, by type. */
export type TypePaces = Readonly<Record<string, Pace>>;

/** What a processor's kernels were measured at. */
export interface MeasuredPaces {
  types: TypePaces;
  isMeasuredHere: boolean;
}

/** Sizes within which two quantizations count as equally large; quality follows size. */
const equalSize = { least: 0.9, most: 1.1 };
/** What one that is so much faster may be smaller still. */
const muchFaster = { gain: 1.5, least: 0.85 };
/** Over both prompts and answers: less is not worth another file. */
const leastGain = 1.15;
/** What it may lose at either. */
const leastRatio = 0.97;
/** Those that come so near to the fastest are as good: the largest of them is taken. */
const nearlyBest = 0.95;
/** Weights whose type was not measured; more of them, and nothing is said. */
const mostUnknown = 0.02;

/**
 * Tokens per second of a model that mixes types: each type takes its share of the time. Null where more than a trace of its
 * weights is of types that were not measured.
 */
export function paceOf(weights: WeightMix, types: TypePaces): Pace | null {
  const entries = Object.entries(weights).filter(([type]) => type !== 'f32');
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  const known = entries.flatMap(([type, count]) => (types[type] ? [{ pace: types[type], count }] : []));
  const counted = known.reduce((sum, { count }) => sum + count, 0);
  if (total === 0 || counted < total * (1 - mostUnknown)) return null;
  const perSecond = (of: keyof Pace) => counted / known.reduce((sum, { pace, count }) => sum + count / pace[of], 0);
  return { prompt: perSecond('prompt'), decode: perSecond('decode') };
}

/**
 * A choice among quantizations by measured figures: `paces` of the kernels that run here, or null, and before them what was
 * measured of both files themselves. Pure.
 */
export function createAdvice(paces: MeasuredPaces | null): AdviseQuantization {
  return (chosen, others) => {
    const better = others.flatMap((other) => {
      const ratios = compare(paces, chosen, other);
      return ratios !== null && isBetter(chosen, other, ratios) ? [{ other, ...ratios }] : [];
    });
    const most = Math.max(...better.map(gainOf));
    const best = better
      .filter((candidate) => gainOf(candidate) >= most * nearlyBest)
      .sort((left, right) => right.other.sizeBytes - left.other.sizeBytes)[0];
    return best ? toAdvice(chosen, best.other, best) : null;
  };
}

type Ratios = Pick<QuantizationAdvice, 'promptRatio' | 'decodeRatio' | 'measuredHere'>;

/** How often as fast as the chosen one the other is; null where that was not measured. */
function compare(
  paces: MeasuredPaces | null,
  chosen: QuantizationCandidate,
  other: QuantizationCandidate,
): Ratios | null {
  const ratios = (from: Pace, to: Pace, measuredHere: boolean): Ratios => ({
    promptRatio: to.prompt / from.prompt,
    decodeRatio: to.decode / from.decode,
    measuredHere,
  });
  if (chosen.measured && other.measured) return ratios(chosen.measured, other.measured, true);
  if (paces === null || chosen.weights === null || other.weights === null) return null;
  const from = paceOf(chosen.weights, paces.types);
  const to = paceOf(other.weights, paces.types);
  return from && to && ratios(from, to, paces.isMeasuredHere);
}

function isBetter(chosen: QuantizationCandidate, other: QuantizationCandidate, ratios: Ratios): boolean {
  const gain = gainOf(ratios);
  const size = other.sizeBytes / chosen.sizeBytes;
  const least = gain >= muchFaster.gain ? muchFaster.least : equalSize.least;
  return (
    other.quantization !== chosen.quantization &&
    size >= least &&
    size <= equalSize.most &&
    gain >= leastGain &&
    Math.min(ratios.promptRatio, ratios.decodeRatio) >= leastRatio
  );
}

/** Prompts and answers count alike. */
const gainOf = ({ promptRatio, decodeRatio }: Ratios) => Math.sqrt(promptRatio * decodeRatio);

function toAdvice(chosen: QuantizationCandidate, other: QuantizationCandidate, ratios: Ratios): QuantizationAdvice {
  const { promptRatio, decodeRatio, measuredHere } = ratios;
  const [slow, fast] = [chosen.quantization, other.quantization].map((label) => label.toUpperCase());
  const [does, ratio] = promptRatio >= leastGain ? ['reads prompts', promptRatio] : ['writes answers', decodeRatio];
  return {
    quantization: other.quantization,
    instead: chosen.quantization,
    promptRatio: rounded(promptRatio),
    decodeRatio: rounded(decodeRatio),
    measuredHere,
    message: `${slow} ${does} at ${rounded(1 / ratio)} of ${fast}'s speed on this processor`,
  };
}

const rounded = (ratio: number) => Math.round(ratio * 100) / 100;
