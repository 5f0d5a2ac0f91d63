import { AppError } from '../core/errors.ts';
import type { AvailableModel, FoundModel, FoundModels } from '../core/pull.ts';
import type { AdviseQuantization } from '../core/quantization-advice.ts';
import type { CatalogModel } from './catalog/catalog.ts';
import { type Hub, type HubRepository, TransientHubError } from './hub/hub.ts';
import { adviseForUsual, withPull } from './pull-advice/pull-advice.ts';

/** Beside its weights, a small context in 8 bits and the process included; against plans of the models of the catalogue. */
const besideWeights = { share: 0.06, bytes: 200e6 };

/** Whether a file of this size can be loaded with so much memory, without a look at its header. */
export function roughlyFits(sizeBytes: number, memoryBytes: number): boolean {
  return sizeBytes * (1 + besideWeights.share) + besideWeights.bytes <= memoryBytes;
}

/**
 * Models of the catalogue and of the hub that have all words of the query in their names: those that fit first, then those of
 * the catalogue, then the most downloaded. Where the hub cannot be asked, a note says so. Rejects with the `AppError` of the
 * hub's failure where the catalogue has none either.
 */
export async function searchModels(
  about: {
    hub: Pick<Hub, 'search'>;
    available: readonly AvailableModel[];
    onDisk: readonly CatalogModel[];
    memoryBytes: number;
    advise: AdviseQuantization;
  },
  query: string,
  limit: number,
  signal: AbortSignal,
): Promise<FoundModels> {
  const { memoryBytes } = about;
  const known = about.available.filter((model) => isMeant(model, query)).map((model) => ofCatalog(model, about));
  const notes: string[] = [];
  const found = await about.hub.search(query, limit, signal).catch((thrown: unknown) => {
    signal.throwIfAborted();
    const error = toFailure(thrown);
    if (known.length === 0) throw error;
    notes.push(error.message);
    return [];
  });
  const isKnown = ({ repository }: HubRepository) => known.some((model) => model.repository === repository);
  const others = found.filter((repository) => !isKnown(repository));
  const counted = known.map((model) => {
    const atHub = found.find(({ repository }) => repository === model.repository);
    if (!atHub) return model;
    const { downloads, likes, gated } = atHub;
    // The hub has more of it than the catalogue lists, where it could be listed.
    const advice = atHub.quantizations.length === 0 ? model.advice : adviceOn(atHub, model.name, about);
    return { ...model, downloads, likes, gated, advice };
  });
  const models = [...counted, ...others.map((repository) => ofHub(repository, about))].sort(byUse);
  return { models, notes, memoryBytes };
}

const wordsOf = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Each word begins one of its names: `4b` is not in `14b`. */
function isMeant({ name, aliases, title, repository }: AvailableModel, query: string): boolean {
  const words = wordsOf([name, ...aliases, title, repository].join(' '));
  const wanted = wordsOf(query);
  return wanted.length > 0 && wanted.every((wish) => words.some((word) => word.startsWith(wish)));
}

interface Here {
  onDisk: readonly CatalogModel[];
  memoryBytes: number;
  advise: AdviseQuantization;
}

function ofCatalog(model: AvailableModel, { memoryBytes }: Pick<Here, 'memoryBytes'>): FoundModel {
  const { name, repository, licence, quantizations, advice } = model;
  return {
    name,
    source: 'catalog',
    repository,
    downloads: null,
    likes: null,
    gated: false,
    licence,
    quantizations: quantizations.map(({ sizeBytes, ...quantization }) => ({
      ...quantization,
      sizeBytes,
      fits: sizeBytes === null ? null : roughlyFits(sizeBytes, memoryBytes),
    })),
    advice,
  };
}

/** Of everything that a repository has and that fits. */
function adviceOn({ quantizations }: HubRepository, name: string, { advise, memoryBytes }: Here): FoundModel['advice'] {
  return withPull(
    adviseForUsual(advise, quantizations, ({ sizeBytes }) => roughlyFits(sizeBytes, memoryBytes)),
    name,
  );
}

function ofHub({ quantizations, ...repository }: HubRepository, here: Here): FoundModel {
  const { memoryBytes } = here;
  const name = `hf.co/${repository.repository}`;
  const onDisk = here.onDisk
    .flatMap(({ variants }) => variants)
    .filter(({ files, invalidReason }) => invalidReason === null && files[0]?.startsWith(`${repository.repository}/`))
    .map(({ quantization }) => quantization);
  return {
    ...repository,
    name,
    source: 'hub',
    quantizations: quantizations.map(({ quantization, sizeBytes }) => ({
      quantization,
      sizeBytes,
      fits: roughlyFits(sizeBytes, memoryBytes),
      onDisk: onDisk.includes(quantization),
    })),
    advice: adviceOn({ quantizations, ...repository }, name, here),
  };
}

const sources = ['catalog', 'hub'] as const;

function byUse(left: FoundModel, right: FoundModel): number {
  return (
    fitOf(right) - fitOf(left) ||
    sources.indexOf(left.source) - sources.indexOf(right.source) ||
    (right.downloads ?? 0) - (left.downloads ?? 0)
  );
}

/** 2: one of it fits; 1: nobody knows; 0: none does. */
function fitOf({ quantizations }: FoundModel): 0 | 1 | 2 {
  if (quantizations.some(({ fits }) => fits)) return 2;
  return quantizations.length === 0 || quantizations.some(({ fits }) => fits === null) ? 1 : 0;
}

function toFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof TransientHubError)) throw error;
  return new AppError('hub_failed', `The hub could not be asked: ${error.message}.`, {
    fix: 'Ask again later.',
    cause: error,
  });
}
