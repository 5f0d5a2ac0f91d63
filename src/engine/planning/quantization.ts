import type { QuantizationAdvice } from '../../core/quantization-advice.ts';
import { type CatalogModel, type CatalogVariant, chooseVariant } from '../../store/catalog/catalog.ts';
import type { LoadOutcome } from '../memory/memory.ts';

/** The quantization that a load takes, and why where it was chosen. */
interface VariantChoice {
  variant: CatalogVariant;
  notes: string[];
}

/** Which of some other variants is faster than one on this processor, at about its size; null: none. */
export type FasterVariant = (
  variant: CatalogVariant,
  others: readonly CatalogVariant[],
) => { variant: CatalogVariant; advice: QuantizationAdvice } | null;

/** In place of a label: the best quality that fits. */
const automatic = 'auto';

/**
 * The variant to load. A label wins, then the variant in the name, then the one that is loaded. `auto` takes the best
 * quality that fits without a smaller context or cache, else the best that fits at all; of those of about its size the one that
 * this processor is fastest with. Without any wish it is the usual choice (`chooseVariant`), or the next smaller one that fits.
 * When none fits, it is the one whose refusal comes nearest.
 * `plan`: as the load would plan it. Throws as `chooseVariant` does.
 */
export function chooseForLoad(options: {
  model: CatalogModel;
  named: CatalogVariant | null;
  loaded: CatalogVariant | null;
  quantization: string | undefined;
  plan: (variant: CatalogVariant) => LoadOutcome;
  faster: FasterVariant;
}): VariantChoice {
  const { model, named, loaded, quantization, plan, faster } = options;
  const isAutomatic = quantization?.toLowerCase() === automatic;
  if (quantization !== undefined && !isAutomatic) return { variant: chooseVariant(model, quantization), notes: [] };
  if (!isAutomatic && (named ?? loaded)) return { variant: (named ?? loaded)!, notes: [] };
  const usual = chooseVariant(model);
  const byQuality = model.variants
    .filter((variant) => variant.invalidReason === null && variant.facts !== null)
    .sort((left, right) => right.facts!.tensorBytes - left.facts!.tensorBytes);
  return isAutomatic ? chooseBest(byQuality, loaded, plan, faster) : chooseUsual(usual, byQuality, plan);
}

function chooseBest(
  byQuality: CatalogVariant[],
  loaded: CatalogVariant | null,
  plan: (variant: CatalogVariant) => LoadOutcome,
  faster: FasterVariant,
): VariantChoice {
  const fits = (variant: CatalogVariant, reducible: boolean) => {
    // What is loaded fits, whatever is left beside it.
    if (variant === loaded) return true;
    const planned = plan(variant);
    return planned.type === 'plan' && (reducible || planned.reduced.every((what) => what === 'slots'));
  };
  const inFull = byQuality.find((candidate) => fits(candidate, false));
  const variant = inFull ?? byQuality.find((candidate) => fits(candidate, true)) ?? byQuality.at(-1)!;
  // What a GPU computes is not for the processor.
  const planned = plan(variant);
  if (planned.type === 'plan' && planned.gpuLayers === 0) {
    const others = byQuality.filter((other) => other !== variant && fits(other, inFull === undefined));
    const found = faster(variant, others);
    if (found) {
      return { variant: found.variant, notes: [`auto chose ${found.variant.quantization}: ${found.advice.message}`] };
    }
  }
  const better = byQuality.slice(0, byQuality.indexOf(variant)).map(({ quantization }) => quantization);
  const why =
    better.length === 0 ? `the best of ${byQuality.length} on disk` : `${better.join(', ')} would not fit in full`;
  return { variant, notes: [`auto chose ${variant.quantization}: ${why}`] };
}

function chooseUsual(
  usual: CatalogVariant,
  byQuality: CatalogVariant[],
  plan: (variant: CatalogVariant) => LoadOutcome,
): VariantChoice {
  if (plan(usual).type === 'plan') return { variant: usual, notes: [] };
  const smaller = byQuality.slice(byQuality.indexOf(usual) + 1).find((candidate) => plan(candidate).type === 'plan');
  if (!smaller) return { variant: byQuality.at(-1)!, notes: [] };
  return {
    variant: smaller,
    notes: [`${smaller.quantization} is used: ${usual.quantization} does not fit the memory`],
  };
}
