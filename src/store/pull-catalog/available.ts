import type { AvailableModel } from '../../core/pull.ts';
import type { AdviseQuantization } from '../../core/quantization-advice.ts';
import { type CatalogModel, nameKey } from '../catalog/catalog.ts';
import { adviseAmong, withPull } from '../pull-advice/pull-advice.ts';
import { nameOnDisk, type PullableModel, type PullableVariant } from './entry.ts';

const kinds = ['chat', 'embedding', 'rerank'] as const;

/**
 * The models of the catalogue with what is already here: the smallest machine first, then chat models before others,
 * then the fewest parameters. `onDisk`: what the folders hold; an unusable file does not count.
 */
export function listAvailable(
  pullable: readonly PullableModel[],
  onDisk: readonly CatalogModel[],
  advise: AdviseQuantization = () => null,
): AvailableModel[] {
  return pullable
    .map((entry) => {
      const usable = usableQuantizations(entry, onDisk);
      const quantizations = entry.variants.map((variant) => ({
        quantization: variant.quantization,
        sizeBytes: sizeBytesOf(variant),
        onDisk: usable.has(variant.quantization),
      }));
      return {
        name: entry.name,
        aliases: entry.aliases ?? [],
        title: entry.title,
        kind: entry.kind,
        machineGb: entry.machineGb,
        parameters: entry.parameters,
        activeParameters: entry.activeParameters ?? null,
        contextTokens: entry.contextTokens,
        licence: entry.licence,
        repository: entry.repository,
        note: entry.note ?? null,
        quantizations,
        advice: withPull(adviseAmong(advise, quantizations[0]!, quantizations), entry.name),
        onDisk: usable.size > 0,
      };
    })
    .sort(byMachine);
}

/** Of the model under the name of its files or under its plain name. */
function usableQuantizations(entry: PullableModel, onDisk: readonly CatalogModel[]): ReadonlySet<string> {
  const keys = [entry.name, nameOnDisk(entry) ?? entry.name].map(nameKey);
  const variants = onDisk.filter(({ name }) => keys.includes(nameKey(name))).flatMap((model) => model.variants);
  return new Set(variants.filter((variant) => variant.invalidReason === null).map((variant) => variant.quantization));
}

/** Null when the size of any part is unknown. */
function sizeBytesOf({ files }: PullableVariant): number | null {
  return files.reduce<number | null>((sum, { bytes }) => (sum === null || bytes === undefined ? null : sum + bytes), 0);
}

function byMachine(left: AvailableModel, right: AvailableModel): number {
  return (
    left.machineGb - right.machineGb ||
    kinds.indexOf(left.kind) - kinds.indexOf(right.kind) ||
    left.parameters - right.parameters
  );
}
