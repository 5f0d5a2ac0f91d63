import {
  type AdviseQuantization,
  type Pace,
  type PaceGain,
  type QuantizationAdvice,
  type QuantizationCandidate,
  type WeightMix,
  withCommand,
} from '../../core/quantization-advice.ts';
import type { CatalogModel, CatalogVariant } from '../../store/catalog/catalog.ts';
import { bitsPerWeight, type GgufFacts, weightMixOf, weightMixOfLabel, wholeMixOf } from '../../store/gguf/gguf.ts';
import type { FasterVariant } from './quantization.ts';

/** Which quantizations are slow on this processor where others of about their size are not. */
export interface SpeedAdvice {
  faster: FasterVariant;
  /** What to have in the place of a variant, on disk or from where models come from; its message names the command. */
  about(model: CatalogModel, variant: CatalogVariant): QuantizationAdvice | null;
  /** How often as fast as the library's own kernels those with our patches are for a variant; null: nobody measured it. */
  gainOfBuilt(variant: CatalogVariant): PaceGain | null;
}

/** What most repositories have. */
const usualLabels = ['q4_0', 'q4_k_m', 'q5_k_m', 'q6_k', 'q8_0'];

/**
 * `measuredOf`: what calibration found of a variant, by its id. `pullName`: what a model is pulled by where its files do not
 * tell; null: it is unknown there too.
 */
export function createSpeedAdvice(deps: {
  advise: AdviseQuantization;
  measuredOf: (id: string) => Pace | null;
  pullName: (model: CatalogModel) => string | null;
  gainOfBuilt: (weights: WeightMix) => PaceGain | null;
}): SpeedAdvice {
  const { advise, measuredOf, pullName } = deps;

  const faster: FasterVariant = (variant, others) => {
    const candidate = toCandidate(variant, measuredOf);
    const usable = others.filter(({ invalidReason }) => invalidReason === null);
    const advice = advise(
      candidate,
      usable.map((other) => toCandidate(other, measuredOf)),
    );
    return advice && { variant: usable.find(({ quantization }) => quantization === advice.quantization)!, advice };
  };

  return {
    faster,
    gainOfBuilt: ({ facts }) => facts && deps.gainOfBuilt(weightMixOf(facts)),
    about(model, variant) {
      const onDisk = faster(variant, model.variants)?.advice;
      if (onDisk) return withCommand(onDisk, `hearth load ${model.name}:${onDisk.quantization}`);
      if (variant.facts === null) return null;
      const known = model.variants.map(({ quantization }) => quantization);
      const others = usualLabels.filter((label) => !known.includes(label)).map((label) => asLabel(variant, label));
      const advice = advise(toCandidate(variant, measuredOf), others);
      if (advice === null) return null;
      const name = pullName(model) ?? repositoryOf(variant);
      return withCommand(
        advice,
        name === null ? `hearth search ${model.name}` : `hearth pull ${name}:${advice.quantization.toUpperCase()}`,
      );
    },
  };
}

function toCandidate(
  { id, quantization, sizeBytes, facts }: CatalogVariant,
  measuredOf: (id: string) => Pace | null,
): QuantizationCandidate {
  return { quantization, sizeBytes, weights: facts && weightMixOf(facts), measured: measuredOf(id) };
}

/** What the same model would be with another label. */
function asLabel({ facts, sizeBytes }: CatalogVariant, label: string): QuantizationCandidate {
  const whole = wholeMixOf(facts!);
  const as = (mix: WeightMix) => weightMixOfLabel(label, outputShareOf(facts!, mix))!;
  return {
    quantization: label,
    sizeBytes: (sizeBytes * bitsPerWeight(as(whole))) / bitsPerWeight(whole),
    weights: as(weightMixOf(facts!)),
    measured: null,
  };
}

/** Of the weights that are multiplied with, those of the output. */
function outputShareOf({ vocabularySize, embeddingLength, isEncoder }: GgufFacts, mix: Record<string, number>): number {
  if (isEncoder || vocabularySize === null || embeddingLength === null) return 0;
  const total = Object.values(mix).reduce((sum, count) => sum + count, 0);
  return Math.min(1, (vocabularySize * embeddingLength) / total);
}

/** A pulled file lies in a folder of its repository's name. */
function repositoryOf({ files }: CatalogVariant): string | null {
  const parts = files[0]!.split('/');
  return parts.length < 3 ? null : `hf.co/${parts[0]}/${parts[1]}`;
}
