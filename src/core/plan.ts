/** Physical memory that a model is expected to take, in bytes, by part. */
export interface ExpectedMemory {
  /** Weights whose file stays mapped: the kernel can drop these pages, and reads them again when they are needed. */
  mappedWeights: number;
  /** Weights that were read into memory. */
  weights: number;
  /** Copies of weights in the order of this CPU's kernels. */
  repackedWeights: number;
  kvCache: number;
  /** Work space of a batch, touched by the first long prompt: rows of activations, attention, scores. */
  compute: number;
  /** Tokens and merge rules, in JavaScript and in native code. */
  vocabulary: number;
  /** Node and the library before any model. */
  process: number;
  /** What an earlier load of this file took more (or less) than all of the above without `compute`. */
  correction: number;
  /** Right after the load: all but `compute`. */
  atLoad: number;
  total: number;
}

/** How keys and values are kept: 16-bit floats, or blocks of 32 numbers of 8 bits with one scale each. */
export type KvType = 'f16' | 'q8_0';

/** Settings that a model is, or would be, loaded with. */
export interface PlannedSettings {
  /** Of one slot. */
  contextTokens: number;
  slots: number;
  /** Largest number of tokens in one decode call. */
  batchTokens: number;
  /** Upper bound of decoding threads. */
  threads: number;
  /** Layers on the GPU, the output being one of them, and the video memory that they take. */
  gpuLayers: number;
  gpuBytes: number;
  useMmap: boolean;
  /** `q8_0` needs `flashAttention`. */
  kvType: KvType;
  /** Use the fused attention kernel where the model allows it. */
  flashAttention: boolean;
  /** Of the machine's memory. */
  expectedBytes: ExpectedMemory;
  /** What was changed against wish or default, one sentence each. */
  notes: string[];
}

/** Why a model does not fit, in bytes. */
export interface MemoryShortage {
  /** With the least settings that the wish allows. */
  neededBytes: number;
  availableBytes: number;
  shortfallBytes: number;
  /** Settings that would fit although they are not what was wished; null when none do. */
  nearest: { contextTokens: number; slots: number; neededBytes: number } | null;
  /** A sentence with the numbers and, where there is one, the way out. */
  message: string;
}

/** Whether a model fits: its settings, or the shortage. */
export type FitOutcome = ({ type: 'plan' } & PlannedSettings) | ({ type: 'refusal' } & MemoryShortage);

/** What a load would do now, without doing it: settings, or the shortage. */
export interface PlanInfo {
  model: string;
  /** The variant that would be loaded. */
  quantization: string;
  settings: PlannedSettings | null;
  shortage: MemoryShortage | null;
  budget: {
    totalBytes: number;
    availableBytes: number;
    /** What ending idle models would free; counted as available. */
    reclaimableBytes: number;
    /** Where the total comes from, such as `host` or `cgroup-v2`. */
    source: string;
  };
}
