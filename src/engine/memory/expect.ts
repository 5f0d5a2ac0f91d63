import type { ExpectedMemory, PlannedSettings } from '../../core/plan.ts';
import { type GgufFacts, purposeOf } from '../../store/gguf/gguf.ts';
import { slotCache, usesFlashAttention } from './kv-cache.ts';
import { type RepackRules, repackedWeights } from './repack.ts';

/** Settings that decide how much memory a model takes. */
export type LoadShape = Pick<PlannedSettings, 'contextTokens' | 'slots' | 'batchTokens' | 'useMmap' | 'kvType'>;

const mib = 2 ** 20;
/** Node, the addon and their code, measured: 54 MiB of its own and 61 MiB of file pages, mostly shared with the server. */
const bareProcessBytes = 115 * mib;
/** llama.cpp keeps room for eight graph nodes of every tensor, fitted to models of 20 to 630 tensors. */
const bytesPerTensor = 9 * 1_024;
/** Measured on WordPiece (30,522 tokens) and, beside merges, on byte-pair vocabularies of 49,152 and 151,936 tokens. */
const bytesPerToken = 240;
const bytesPerMerge = 450;
/** Rows of one layer that are alive at the same time, fitted to models 576 and 896 wide at 128 and 512 tokens a batch. */
const embeddingRows = 8;
const feedForwardRows = 2;
/** Of the embedding's width beside what the experts of a token give; fitted to 2 and 8 of 16 experts, 512 and 1,024 wide. */
const rowsBesideExperts = 3;
/** JavaScript that a first request leaves behind: an answer's and a vector's. */
const workingHeapBytes = 3 * mib;
const vectorHeapBytes = 1 * mib;
/** A sampler holds id, score and probability of every token of the vocabulary, and the score row itself. */
const sampledTokenBytes = 12 + 4;

/** States that a slot of a recurrent or sliding-window model puts aside at most, and the room for those of all slots. */
const statesAside = 6;
const statesAsideBytes = 256 * mib;

/** The file stays mapped, so where little is repacked the pages that can be dropped are worth more than the copy. */
const repackShareThatMatters = 0.1;

/** Whether mapping the file costs a second copy of most weights. Source: engine/memory/README.md, "Weights". */
export function repacks(facts: GgufFacts, rules: RepackRules): boolean {
  return repackedWeights(facts, rules).copyBytes > facts.tensorBytes * repackShareThatMatters;
}

/** Estimates the memory of a model loaded with these settings. `correctionBytes`: see `ExpectedMemory`. Pure. */
export function expectBytes(
  facts: GgufFacts,
  shape: LoadShape,
  rules: RepackRules,
  correctionBytes = 0,
): ExpectedMemory {
  const { sourceBytes, copyBytes } = repackedWeights(facts, rules);
  const slot = slotCache(facts, shape);
  const parts = {
    mappedWeights: shape.useMmap ? facts.tensorBytes : 0,
    // Without a map nothing is left of a tensor that was repacked but its copy.
    weights: shape.useMmap ? 0 : facts.tensorBytes - sourceBytes,
    repackedWeights: copyBytes,
    kvCache: shape.slots * (slot.fullBytes + slot.slidingBytes) + recurrentBytes(facts, shape.slots),
    vocabulary: (facts.vocabularySize ?? 0) * bytesPerToken + facts.mergeCount * bytesPerMerge,
    process: bareProcessBytes + facts.tensorCount * bytesPerTensor,
    correction: correctionBytes,
  };
  const atLoad = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
  const windowsAside = Math.min(statesAsideBytes, statesAside * shape.slots * slot.slidingBytes);
  const compute = computeBytes(facts, shape) + windowsAside;
  return { ...parts, compute, atLoad, total: atLoad + compute };
}

/** The running states, and those put aside to go back to; one of these is kept in each slot whatever its size. */
function recurrentBytes({ recurrentStateBytes }: GgufFacts, slots: number): number {
  const running = slots * recurrentStateBytes;
  return running + Math.max(running, Math.min(statesAsideBytes, statesAside * running));
}

/** Numbers that are there at the same time while a batch goes through a layer, for each of its tokens. */
function numbersPerToken({ embeddingLength, feedForwardLength, experts }: GgufFacts): number {
  const embedding = embeddingLength ?? 0;
  const feedForward = feedForwardLength ?? 0;
  const ofAll = embedding * embeddingRows + feedForward * feedForwardRows;
  if (experts === null) return ofAll;
  const ofExpert = embedding + (experts.feedForwardLength ?? feedForward);
  return Math.max(ofAll, embedding * rowsBesideExperts + experts.used * ofExpert);
}

function computeBytes(facts: GgufFacts, shape: LoadShape): number {
  const rows = numbersPerToken(facts) * 4;
  // Models that make vectors run with the library's own choice of kernel, which is the fused one.
  const makesVectors = purposeOf(facts) !== 'generate';
  const cells = facts.isEncoder ? shape.batchTokens : shape.contextTokens;
  // With the fused kernel only the mask; else the weights of every head.
  const isFused = makesVectors || usesFlashAttention(facts, shape.kvType);
  const attention = isFused ? 4 : 4 + (facts.headCount ?? 0) * 4;
  // A model that makes vectors puts out every token of a batch, and llama.cpp keeps and clears a row of scores for each.
  const vocabulary = facts.vocabularySize ?? 0;
  const scores = makesVectors ? shape.batchTokens * vocabulary * 4 : shape.slots * vocabulary * sampledTokenBytes;
  const perToken = rows + (facts.hasNoAttention ? 0 : cells * attention);
  return shape.batchTokens * perToken + scores + (makesVectors ? vectorHeapBytes : workingHeapBytes);
}
