import type { ExpectedMemory } from '../../core/plan.ts';
import type { GpuBackend } from '../../ipc/gpu.ts';
import type { GgufFacts } from '../../store/gguf/gguf.ts';

/** What goes onto a GPU; `layers` 0: nothing, and all bytes are 0. */
interface GpuShare {
  /** As llama.cpp counts them: the output first, then the layers from the last to the first. */
  layers: number;
  /** Video memory by part. */
  bytes: { weights: number; kvCache: number; compute: number; total: number };
}

/** What a model takes where it is all in one place; the part of a memory plan that decides about layers. */
interface WholeBytes extends Pick<ExpectedMemory, 'kvCache' | 'compute'> {
  batchTokens: number;
}

const mib = 2 ** 20;
/** Of the video memory nobody plans with: drivers round up, fragment, and other programs draw on the screen. */
const leastReserveBytes = 256 * mib;
const reserveShare = 0.06;

/** Bytes of a device that models may take when `freeBytes` of its `totalBytes` are free. */
export function usableGpuBytes(device: { totalBytes: number; freeBytes: number }): number {
  return Math.max(0, device.freeBytes - Math.max(leastReserveBytes, Math.ceil(device.totalBytes * reserveShare)));
}

/**
 * As many layers as fit into `usableBytes`. Pure; never plans more than that, and never fewer layers with more bytes.
 * Source: llama.cpp puts the output (`n_gpu_layers` 1), then layers from the last to the first onto the GPU, each with
 * its part of the key-value cache; the embedding stays on the CPU, so a tied one is there twice.
 */
export function planGpuLayers(facts: GgufFacts, whole: WholeBytes, usableBytes: number): GpuShare {
  let best = nothing;
  for (let layers = 1; layers <= facts.layerBytes.length + 1; layers++) {
    const share = shareOf(facts, whole, layers);
    if (share.bytes.total > usableBytes) break;
    best = share;
  }
  return best;
}

const nothing: GpuShare = { layers: 0, bytes: { weights: 0, kvCache: 0, compute: 0, total: 0 } };

function shareOf(facts: GgufFacts, whole: WholeBytes, layers: number): GpuShare {
  const first = facts.layerBytes.length - (layers - 1);
  const output = facts.outputBytes + (facts.tiedEmbedding ? facts.embeddingBytes : 0);
  const weights = output + sum(facts.layerBytes.slice(first));
  const kvCache = Math.min(whole.kvCache, Math.ceil(sum(kvCacheByLayer(facts, whole.kvCache).slice(first))));
  // Long batches also compute the layers that stayed behind on the GPU, one after the other, in a buffer there. The
  // largest of all is counted, not of those behind, so that one layer more never takes less.
  const streamed = Math.max(0, ...facts.layerBytes);
  // On the CPU pages count that a batch touches; a GPU's buffer is all there from the start, with a row of scores for
  // every token of a batch. Measured: 98.8 MiB with SmolLM2 at 512, of which 96 are scores.
  const scores = facts.isEncoder ? 0 : whole.batchTokens * (facts.vocabularySize ?? 0) * 4;
  const compute = whole.compute + scores + streamed;
  return { layers, bytes: { weights, kvCache, compute, total: weights + kvCache + compute } };
}

/** An upper bound for each layer: which layers of a hybrid have a cache is not in every header, nor how long a window is held. */
function kvCacheByLayer(facts: GgufFacts, wholeBytes: number): number[] {
  const count = facts.layerBytes.length;
  if (Array.isArray(facts.headCountKv)) {
    const heads = facts.headCountKv;
    const all = sum(heads);
    return Array.from({ length: count }, (_, layer) => (all === 0 ? 0 : (wholeBytes * (heads[layer] ?? 0)) / all));
  }
  const sliding = facts.slidingLayers;
  if (sliding) {
    // A layer with a window never holds more than one without.
    const full = Math.max(1, sliding.filter((slides) => !slides).length);
    return Array.from({ length: count }, (_, layer) => wholeBytes / (sliding[layer] ? count : full));
  }
  const holders = Math.max(1, Math.ceil(count / (facts.fullAttentionInterval ?? 1)));
  return Array.from({ length: count }, () => wholeBytes / holders);
}

/**
 * What a backend's libraries and buffers take in the worker's own memory, in bytes. Not measured: an allowance for the
 * runtime and pinned buffers, with CUDA also for cuBLAS.
 */
const gpuProcessBytes: Record<GpuBackend, number> = { vulkan: 100 * mib, cuda: 400 * mib, metal: 100 * mib };

/**
 * What a model takes of the machine's memory beside its share on the GPU, from what it takes without one. A GPU
 * without memory of its own moves nothing out. What earlier loads took on the CPU says nothing here: no correction.
 */
export function ramBeside(
  whole: ExpectedMemory,
  facts: GgufFacts,
  share: GpuShare,
  device: { backend: GpuBackend; kind: 'discrete' | 'integrated' | 'software' },
): ExpectedMemory {
  if (share.layers === 0) return whole;
  const { atLoad: _atLoad, total: _total, compute, ...parts } = whole;
  parts.process += gpuProcessBytes[device.backend];
  parts.correction = 0;
  if (device.kind === 'discrete') {
    const output = facts.tiedEmbedding ? 0 : facts.outputBytes;
    const moved = output + sum(facts.layerBytes.slice(facts.layerBytes.length - (share.layers - 1)));
    const kept = facts.tensorBytes === 0 ? 1 : Math.max(0, 1 - moved / facts.tensorBytes);
    for (const part of ['mappedWeights', 'weights', 'repackedWeights'] as const)
      parts[part] = Math.ceil(parts[part] * kept);
    // The bound for the GPU's part is an upper one, so what is left over is bounded by the layers that stay.
    const keptLayers = 1 - (share.layers - 1) / Math.max(1, facts.layerBytes.length);
    parts.kvCache = Math.ceil(Math.max(parts.kvCache - share.bytes.kvCache, parts.kvCache * keptLayers));
  }
  const atLoad = sum(Object.values(parts));
  const onBoth = device.kind === 'discrete' ? compute : compute + share.bytes.compute;
  return { ...parts, compute: onBoth, atLoad, total: atLoad + onBoth };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, value) => total + value, 0);
}
