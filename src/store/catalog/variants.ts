import { AppError } from '../../core/errors.ts';
import { canonicalQuantization, preferredQuantizations } from '../gguf/gguf.ts';
import type { CatalogModel, CatalogVariant } from './group-files.ts';

/**
 * The variant to load: the named one, else the best usable one by the usual order, else the
 * smallest usable one that still has four bits per weight.
 * Throws `model_not_found` for a quantization that the model does not have, `invalid_model_file` for an unusable one.
 */
export function chooseVariant(model: CatalogModel, quantization?: string): CatalogVariant {
  if (quantization !== undefined) return assertUsable(model, findVariant(model, quantization));
  const usable = model.variants.filter((variant) => variant.invalidReason === null);
  for (const wanted of preferredQuantizations) {
    const variant = usable.find((candidate) => candidate.quantization === wanted);
    if (variant) return variant;
  }
  return usable.toSorted(byUsefulness)[0] ?? assertUsable(model, model.variants[0]!);
}

/** The smallest of at least four bits per weight first, then, below that, the larger the better. */
function byUsefulness(left: CatalogVariant, right: CatalogVariant): number {
  const [leftBits, rightBits] = [bitsPerWeight(left), bitsPerWeight(right)];
  if (leftBits >= 4 !== rightBits >= 4) return leftBits >= 4 ? -1 : 1;
  return leftBits >= 4 ? leftBits - rightBits : rightBits - leftBits;
}

function bitsPerWeight({ facts }: CatalogVariant): number {
  return facts && facts.parameterCount > 0 ? (facts.tensorBytes * 8) / facts.parameterCount : 0;
}

/** The variant with this label, usable or not; `q4_k_xl` also finds `ud-q4_k_xl`. Throws `model_not_found`. */
export function findVariant(model: CatalogModel, quantization: string): CatalogVariant {
  const label = canonicalQuantization(quantization);
  const variant =
    model.variants.find((candidate) => candidate.quantization === label) ??
    model.variants.find((candidate) => candidate.quantization === `ud-${label}`);
  if (variant) return variant;
  const available = model.variants.map((candidate) => candidate.quantization).join(', ');
  throw new AppError('model_not_found', `The model ${model.name} has no variant of this quantization.`, {
    field: 'quantization',
    fix: `Available: ${available}.`,
  });
}

function assertUsable(model: CatalogModel, variant: CatalogVariant): CatalogVariant {
  if (variant.invalidReason === null) return variant;
  throw new AppError('invalid_model_file', `The model ${model.name} cannot be used: ${variant.invalidReason}`, {
    field: 'model',
    details: { reason: variant.invalidCode },
  });
}
