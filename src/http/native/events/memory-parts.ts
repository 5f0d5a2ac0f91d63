import type { Engine, LocalModel } from '../../../engine/engine.ts';

/** Who has the memory of the machine, in bytes: the parts add up to the whole. */
export interface MemoryParts {
  /** Of the machine, or of the container or the limit, whichever is less. */
  totalBytes: number;
  /** Where that bound comes from: `host`, `cgroup-v2`, … */
  source: string;
  /** Left to others, whatever happens. */
  reserveBytes: number;
  /** What a load may take at once. */
  freeBytes: number;
  /** Neither Hearth's nor free: other services and the system. */
  othersBytes: number;
  /** The server itself, without its models. */
  serverBytes: number;
  models: ModelParts[];
}

/** What one model has of it; the parts add up to what its process was measured to have. */
interface ModelParts {
  model: string;
  totalBytes: number;
  weightsBytes: number;
  /** Keys and values of its slots. */
  cacheBytes: number;
  /** Everything else of its process: work space of batches, vocabulary, the library itself. */
  workBytes: number;
}

/**
 * Divides the machine. Pages of a model's file that the kernel could drop are the model's here, although a load may count on
 * them: they are no longer free while it uses them. Pure.
 */
export function divideMemory(status: ReturnType<Engine['memory']>, residents: readonly LocalModel[]): MemoryParts {
  const totalBytes = status.budgetBytes + status.reserveBytes;
  const models = residents.flatMap(partsOf);
  const modelBytes = sum(models.map((model) => model.totalBytes));
  const droppable = sum(
    residents.map(({ loaded }) => Math.min(loaded?.plan?.expectedBytes.mappedWeights ?? 0, loaded?.residentBytes ?? 0)),
  );
  const serverBytes = Math.max(0, status.usedBytes - modelBytes);
  const freeBytes = Math.max(0, status.availableBytes - droppable);
  const known = status.reserveBytes + freeBytes + serverBytes + modelBytes;
  return {
    totalBytes: Math.max(totalBytes, known),
    source: status.source,
    reserveBytes: status.reserveBytes,
    freeBytes,
    othersBytes: Math.max(0, totalBytes - known),
    serverBytes,
    models,
  };
}

/** Weights and cache as planned, as far as the process has them by now; nothing for one that was not measured yet. */
function partsOf({ name, loaded }: LocalModel): ModelParts[] {
  const totalBytes = loaded?.residentBytes ?? null;
  if (totalBytes === null) return [];
  const expected = loaded?.plan?.expectedBytes;
  const planned = expected ? expected.mappedWeights + expected.weights + expected.repackedWeights : 0;
  const cacheBytes = Math.min(expected?.kvCache ?? 0, totalBytes);
  const weightsBytes = Math.min(planned, totalBytes - cacheBytes);
  return [{ model: name, totalBytes, weightsBytes, cacheBytes, workBytes: totalBytes - cacheBytes - weightsBytes }];
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
