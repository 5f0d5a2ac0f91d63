import type { GgufFacts } from './facts.ts';
import { invalidModelFile } from './limits.ts';

/** The facts of a model from those of its files, in part order: of one file that is no part as they are. */
export function combineParts(parts: readonly GgufFacts[]): GgufFacts {
  const [only] = parts;
  return only && parts.length === 1 && only.split === null ? only : combineSplit(parts);
}

/**
 * The facts of a whole split model from those of its parts, in part order. Sizes and counts are summed, the rest
 * comes from the first part. Throws `invalid_model_file` when a part is missing, swapped or of another set.
 */
export function combineSplit(parts: readonly GgufFacts[]): GgufFacts {
  const first = parts[0];
  if (!first?.split) throw invalidModelFile('bad_split', 'The first file is not a part of a split model.');
  const { count, tensorCount } = first.split;
  if (parts.length !== count) {
    throw invalidModelFile('split_part_missing', `The model has ${count} parts, but ${parts.length} of them are here.`);
  }
  parts.forEach((part, index) => {
    if (part.split?.count !== count)
      throw invalidModelFile('bad_split', `Part ${index + 1} belongs to another split model.`);
    if (part.split.index !== index) {
      throw invalidModelFile(
        'bad_split',
        `The file named part ${index + 1} says that it is part ${part.split.index + 1}.`,
      );
    }
  });
  const sum = (read: (part: GgufFacts) => number) => parts.reduce((total, part) => total + read(part), 0);
  const tensors = sum((part) => part.tensorCount);
  if (tensorCount !== null && tensors !== tensorCount) {
    throw invalidModelFile('bad_split', `The model should have ${tensorCount} tensors, but its parts have ${tensors}.`);
  }
  // A first part may hold metadata only; then the label is that of a part with weights.
  const labelled = parts.find((part) => part.quantization !== 'unknown');
  return {
    ...first,
    sizeBytes: sum((part) => part.sizeBytes),
    tensorBytes: sum((part) => part.tensorBytes),
    tensorCount: tensors,
    parameterCount: sum((part) => part.parameterCount),
    quantization: first.quantization === 'unknown' ? (labelled?.quantization ?? 'unknown') : first.quantization,
    tiedEmbedding: parts.every((part) => part.tiedEmbedding),
    embeddingBytes: sum((part) => part.embeddingBytes),
    embeddingType: parts.find((part) => part.embeddingType !== null)?.embeddingType ?? null,
    outputBytes: sum((part) => part.outputBytes),
    layerBytes: Array.from({ length: Math.max(...parts.map((part) => part.layerBytes.length)) }, (_, layer) =>
      sum((part) => part.layerBytes[layer] ?? 0),
    ),
    bytesByType: sumByType(parts.map((part) => part.bytesByType)),
    expertBytesByType: sumByType(parts.map((part) => part.expertBytesByType)),
  };
}

function sumByType(parts: readonly Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const bytesByType of parts) {
    for (const [label, bytes] of Object.entries(bytesByType)) sums[label] = (sums[label] ?? 0) + bytes;
  }
  return sums;
}
