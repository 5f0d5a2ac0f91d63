import { createHash } from 'node:crypto';
import type { MadeModel } from '../../../core/pull.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import { withTag } from '../objects/names.ts';

type Capability = 'completion' | 'tools' | 'thinking' | 'embedding';

/** Later than any clock: a model that stays. Its clients know no word for it. */
const forEver = '2318-01-01T00:00:00.000Z';

/** Size on disk and label of what a name stands for. */
type Variant = Pick<LocalModel, 'quantization' | 'sizeBytes'>;

export function toDetails(model: LocalModel, { quantization }: Variant, parent = '') {
  const family = model.architecture ?? 'unknown';
  return {
    parent_model: parent,
    format: model.format,
    family,
    families: [family],
    parameter_size: toParameterSize(model.parameterCount),
    quantization_level: quantization === 'unknown' ? 'unknown' : quantization.toUpperCase(),
    ...(model.trainedContextTokens !== null && { context_length: model.trainedContextTokens }),
    ...(model.embeddingLength !== null && { embedding_length: model.embeddingLength }),
  };
}

/** `7.6B`, `494.03M`. */
function toParameterSize(parameters: number | null): string {
  if (parameters === null) return 'unknown';
  if (parameters >= 1e9) return `${(parameters / 1e9).toFixed(1)}B`;
  if (parameters >= 1e6) return `${(parameters / 1e6).toFixed(2)}M`;
  return `${Math.round(parameters / 1e3)}K`;
}

/** What a model can do, in the words that clients switch features by. A reranker can do nothing that they know. */
export function toCapabilities({ purpose, thinks }: LocalModel): Capability[] {
  if (purpose === 'generate') return ['completion', 'tools', ...(thinks ? (['thinking'] as const) : [])];
  return purpose === 'embed' ? ['embedding'] : [];
}

/** The same for the same files with the same settings. Clients print its beginning, and compare it. */
function toDigest(model: LocalModel, variant: Variant, made: MadeModel | null): string {
  const facts = [model.name, variant.quantization, variant.sizeBytes, model.modifiedAt.getTime(), made?.preset ?? null];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

function toListed(name: string, model: LocalModel, variant: Variant, made: MadeModel | null = null) {
  return {
    name: withTag(name),
    model: withTag(name),
    modified_at: (made?.createdAt ?? model.modifiedAt).toISOString(),
    size: variant.sizeBytes,
    digest: toDigest(model, variant, made),
    details: toDetails(model, variant, made ? withTag(made.from) : ''),
    capabilities: toCapabilities(model),
  };
}

/**
 * Every name that this dialect lists: each model, each of its quantizations where there are several, and what clients
 * made. Files that cannot be used are not models here.
 */
export function toTags(models: readonly LocalModel[], made: readonly { made: MadeModel; model: LocalModel }[]) {
  const usable = models.filter(({ state }) => state !== 'invalid');
  return [
    ...usable.flatMap((model) => {
      const variants = model.variants.filter(({ invalidReason }) => invalidReason === null);
      const several = variants.length > 1 ? variants : [];
      return [
        toListed(model.name, model, model),
        ...several.map((variant) => toListed(`${model.name}:${variant.quantization}`, model, variant)),
      ];
    }),
    ...made.map((one) => toListed(one.made.name, one.model, variantOf(one.model, one.made.from), one.made)),
  ];
}

/** The variant that a name `name:quantization` names; the one that a load would choose where it names none. */
export function variantOf(model: LocalModel, name: string): Variant {
  const tag = name.slice(name.lastIndexOf(':') + 1).toLowerCase();
  return model.variants.find(({ quantization }) => quantization === tag) ?? model;
}

/** A loaded model. `now` and `keepAliveMs`: of one that is busy, whose time has not begun. */
export function toRunning(model: LocalModel, now: Date, keepAliveMs: number) {
  const { modified_at: _modified, capabilities: _capabilities, ...listed } = toListed(model.name, model, model);
  const { loaded } = model;
  const isBusy = (loaded?.activeRequests ?? 0) > 0 && !loaded?.pinned && Number.isFinite(keepAliveMs);
  return {
    ...listed,
    size: loaded?.residentBytes ?? model.sizeBytes,
    expires_at:
      loaded?.expiresAt?.toISOString() ?? (isBusy ? new Date(now.getTime() + keepAliveMs).toISOString() : forEver),
    size_vram: loaded?.gpuBytes ?? 0,
    context_length: loaded?.contextTokens ?? 0,
  };
}
