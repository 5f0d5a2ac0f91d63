import type { GgufFacts } from '../../store/gguf/gguf.ts';

/**
 * Tensor types that llama.cpp's CPU code copies into another order at load, with the size of the copy for each byte of
 * the original. A type that is not there stays as it is.
 */
export type RepackRules = ReadonlyMap<string, number>;

/**
 * Tile kernels of AMX. Some blocks get a sum of four bytes (Q8_0: 34 -> 38) or wider scales.
 * Source: ggml-cpu/amx, `qtype_has_amx_kernels` and `get_row_size`.
 */
const amxRules: readonly [string, number][] = [
  ['q4_0', 1],
  ['q4_1', 1],
  ['q8_0', 38 / 34],
  ['q4_k', 148 / 144],
  ['q5_k', 180 / 176],
  ['q6_k', 1],
  ['iq4_xs', 138 / 136],
  ['f16', 1],
];

/** Source: ggml-cpu/repack.cpp, `ggml_repack_get_optimal_repack_type`; these copies are as large as the original. */
const avx2Types = ['q4_0', 'q4_k', 'iq4_nl', 'mxfp4'];
const neonTypes = ['q4_0', 'q4_k', 'q5_k', 'q6_k', 'q8_0', 'iq4_nl', 'mxfp4'];

/**
 * What this machine's CPU repacks. `cpuinfo`: text of `/proc/cpuinfo`, null where there is none: then as a CPU with
 * AVX2 or, on Arm, with dot products, which is what nearly all have.
 */
export function repackRulesOf(cpuinfo: string | null, architecture: string): RepackRules {
  const flags = new Set((/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo ?? '')?.[1] ?? '').split(/\s+/));
  const has = (flag: string) => flags.has(flag);
  if (architecture === 'arm64' || architecture === 'arm') {
    return sameSize(cpuinfo === null || has('asimddp') || has('i8mm') ? neonTypes : []);
  }
  const rules = new Map(sameSize(cpuinfo === null || has('avx2') ? avx2Types : []));
  if (has('avx512f') && has('avx512bw')) rules.set('q2_k', 1);
  // The build for AMX is chosen only when all of these are there.
  if (has('amx_int8') && has('avx512_vnni')) for (const [type, growth] of amxRules) rules.set(type, growth);
  return rules;
}

/** Bytes of weights that are copied, and bytes of their copies. A tied embedding stays and is copied as the output. */
export function repackedWeights(facts: GgufFacts, rules: RepackRules): { sourceBytes: number; copyBytes: number } {
  let sourceBytes = 0;
  let copyBytes = 0;
  for (const [type, bytes] of Object.entries(facts.bytesByType)) {
    const growth = rules.get(type);
    if (growth === undefined) continue;
    // Looking up the rows of tokens needs the plain form; only as the output's weights it is multiplied with.
    const isLookedUpOnly = type === facts.embeddingType && (!facts.tiedEmbedding || facts.isEncoder);
    sourceBytes += bytes - (type === facts.embeddingType ? facts.embeddingBytes : 0);
    copyBytes += (bytes - (isLookedUpOnly ? facts.embeddingBytes : 0)) * growth;
  }
  return { sourceBytes, copyBytes: Math.ceil(copyBytes) };
}

function sameSize(types: readonly string[]): RepackRules {
  return new Map(types.map((type) => [type, 1]));
}
