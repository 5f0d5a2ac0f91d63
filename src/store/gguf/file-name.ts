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

/** Order in which a quantization is chosen when nobody names one: what runs well on a small machine first. */
export const preferredQuantizations: readonly string[] = ['q4_k_m', 'q4_0', 'q4_1', 'q5_k_m', 'q8_0'];

/** Whether a file is called as vision projectors are (`mmproj-model-f16`), whatever its header says. */
export function isProjectorName(stem: string): boolean {
  return /mmproj/i.test(stem);
}
