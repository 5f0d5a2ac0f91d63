import type { AvailableModel, SuggestedModel } from '../core/pull.ts';
import { roughlyFits } from './search-models.ts';

/** Tokens a second from which on a model is quick, pleasant to read along, and bearable. */
const paces = [30, 12, 5];

/**
 * Up to three models of the catalogue for this machine, the smallest first: the largest that is quick, that can be read along
 * with, and that is bearable here; where it is too slow for that, the smallest that fit. Those that people should know something of first are left
 * out, and those whose size only the hub knows. `bytesPerSecond`: of weights that this machine reads.
 */
export function suggestModels(
  available: readonly AvailableModel[],
  { memoryBytes, bytesPerSecond }: { memoryBytes: number; bytesPerSecond: number },
): SuggestedModel[] {
  const fitting = available
    .flatMap((model) => toSuggested(model, bytesPerSecond))
    .filter(({ sizeBytes }) => roughlyFits(sizeBytes, memoryBytes))
    .sort((one, other) => one.sizeBytes - other.sizeBytes);
  const chosen = new Set<SuggestedModel>();
  for (const pace of paces) {
    const good = fitting.filter((model) => !chosen.has(model) && model.tokensPerSecond >= pace).at(-1);
    const least = fitting.find((model) => !chosen.has(model));
    const next = good ?? least;
    if (next) chosen.add(next);
  }
  return fitting.filter((model) => chosen.has(model));
}

function toSuggested(model: AvailableModel, bytesPerSecond: number): SuggestedModel[] {
  const { name, title, parameters, activeParameters, licence, kind, note, quantizations } = model;
  const [first] = quantizations;
  if (kind !== 'chat' || note !== null || name.includes('coder') || !first || first.sizeBytes === null) return [];
  // Of a mixture of experts a token reads some of the file.
  const bytesPerToken = (first.sizeBytes * (activeParameters ?? parameters)) / parameters;
  const tokensPerSecond = Math.round((bytesPerSecond / bytesPerToken) * 10) / 10;
  return [
    { name, title, parameters, licence, quantization: first.quantization, sizeBytes: first.sizeBytes, tokensPerSecond },
  ];
}
