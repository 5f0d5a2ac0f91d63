import { AppError } from '../../core/errors.ts';

/** What a file's name says: the model it belongs to, its quantization and its place in a split set. */
export interface FileName {
  /** Model name, in the letters of the file. */
  name: string;
  /** Lower-case label, or null when the name has none. */
  quantization: string | null;
  /** File name without `.gguf` and without the split suffix. */
  stem: string;
  /** `index` counts from 0. */
  split: { index: number; count: number } | null;
}

const ggufSuffix = /\.gguf$/i;
const splitSuffix = /-(\d{5})-of-(\d{5})$/;
/** Quantization labels as quantizers write them at the end of a name, with Unsloth's dynamic ones (`UD-`). */
const quantizationSuffix =
  /^(.+?)[-._]((?:UD-)?(?:I?Q[1-8](?:_[0-9A-Z]{1,3}){0,3}|TQ[12]_0|BF16|F16|FP16|F32|FP32|MXFP4(?:_MOE)?|NVFP4))$/i;
const aliasLabels: Readonly<Record<string, string>> = { fp16: 'f16', fp32: 'f32', mxfp4_moe: 'mxfp4' };

/** Takes a GGUF file's name apart; null for other files. */
export function parseFileName(fileName: string): FileName | null {
  if (!ggufSuffix.test(fileName)) return null;
  let stem = fileName.replace(ggufSuffix, '').normalize('NFC');
  const splitMatch = splitSuffix.exec(stem);
  const split = splitMatch && { index: Number(splitMatch[1]) - 1, count: Number(splitMatch[2]) };
  if (splitMatch) stem = stem.slice(0, splitMatch.index);
  if (stem === '') return null;
  const match = quantizationSuffix.exec(stem);
  return {
    name: match?.[1] ?? stem,
    quantization: match ? canonicalQuantization(match[2]!) : null,
    stem,
    split,
  };
}

/** Lower case, with different spellings of one label brought together. */
export function canonicalQuantization(label: string): string {
  const lower = label.toLowerCase();
  return aliasLabels[lower] ?? lower;
}

/** How names are compared: without regard to case and to the two ways of writing accents. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Segments of letters, digits and `._+@-` that neither begin nor end with a dot; slashes only between segments. */
const segment = '[a-z0-9_](?:[a-z0-9._+@-]*[a-z0-9_+@-])?';
const wellFormed = new RegExp(`^${segment}(?:/${segment}){0,3}(?::[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_-])?)?$`, 'i');

/**
 * Refuses what cannot be a model's name: paths, control characters, look-alikes, URLs. Only names that are not in the
 * catalogue come here, so a file may well have a name with blanks. Throws `invalid_request`.
 */
export function assertWellFormedName(name: string): void {
  if (name.length <= 200 && wellFormed.test(name) && !name.includes('..')) return;
  throw new AppError('invalid_request', 'This is not a valid model name.', {
    field: 'model',
    fix: 'Use a name from the list of models, for example "default" or "name:quantization".',
  });
}

/** Up to `limit` of `names` that resemble `wanted`, best first; the first names when none does. */
export function closeNames(wanted: string, names: readonly string[], limit = 5): string[] {
  const pieces = (name: string) =>
    new Set(
      nameKey(name)
        .split(/[^a-z0-9]+/)
        .filter((piece) => piece !== ''),
    );
  const wantedPieces = pieces(wanted);
  const scored = names.map((name) => {
    const own = pieces(name);
    const shared = [...wantedPieces].filter((piece) => own.has(piece)).length;
    const begins = nameKey(name).startsWith(nameKey(wanted).slice(0, 4)) ? 1 : 0;
    return { name, score: shared * 2 + begins };
  });
  const related = scored.filter(({ score }) => score > 0).sort((left, right) => right.score - left.score);
  return (related.length > 0 ? related : scored).slice(0, limit).map(({ name }) => name);
}
