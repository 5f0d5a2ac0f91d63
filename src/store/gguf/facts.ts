import { hasNoAttention, isEncoderArchitecture, isRecurrentArchitecture, slidingPeriodOf } from './families.ts';
import { createFields, type Fields } from './fields.ts';
import { assertHasNoDecisionHead, assertIsModel } from './kinds.ts';
import { ggufLimits, invalidModelFile } from './limits.ts';
import { chatTemplateKey, type Metadata } from './metadata.ts';
import { fileTypeLabels } from './tensor-types.ts';
import type { TensorSummary } from './tensors.ts';
import { hasReasoning } from './thinking.ts';

/** What Hearth knows of a model from its file's header. Null: the header does not say. */
export interface GgufFacts {
  /** Version of the container format, 2 or 3. */
  version: number;
  /** As llama.cpp names it; empty on the later parts of a split model, whose first part has it. */
  architecture: string;
  name: string | null;
  /** Size of the file, or of all parts. */
  sizeBytes: number;
  tensorBytes: number;
  tensorCount: number;
  /** Elements of all tensors. */
  parameterCount: number;
  /** Lower-case label such as `q4_k_m`; `unknown` without tensors. */
  quantization: string;
  trainedContextTokens: number | null;
  blockCount: number | null;
  embeddingLength: number | null;
  /** The largest of all layers. */
  headCount: number | null;
  /** Key-value heads, per layer where layers differ. */
  headCountKv: number | number[] | null;
  keyLength: number | null;
  valueLength: number | null;
  slidingWindow: number | null;
  /** Which layers keep no more than that window, the first of them first; null: none, or not known which. */
  slidingLayers: boolean[] | null;
  /** Every how many layers one has full attention, the others being recurrent; null: all have. */
  fullAttentionInterval: number | null;
  /** State of the recurrent layers per sequence; 0 where there are none. */
  recurrentStateBytes: number;
  vocabularySize: number | null;
  /** Merge rules of a byte-pair tokenizer; 0 for the others. */
  mergeCount: number;
  /** Width of the middle of a feed-forward block; the largest of all layers. */
  feedForwardLength: number | null;
  hasChatTemplate: boolean;
  /** The template has a place for reasoning. */
  thinks: boolean;
  /** llama.cpp's number: 0 none, 1 mean, 2 cls, 3 last, 4 rank. */
  poolingType: number | null;
  /** Gives vectors for whole texts and cannot continue a text. */
  isEncoder: boolean;
  /** Keeps a running state, alone or beside attention (Mamba, RWKV, hybrids). */
  isRecurrent: boolean;
  /** No key-value cache at all. */
  hasNoAttention: boolean;
  /** The token embedding also serves as output: the file has no `output.weight`. */
  tiedEmbedding: boolean;
  /** Bytes of the token embedding. */
  embeddingBytes: number;
  /** Type label of the token embedding, or null without one. */
  embeddingType: string | null;
  /** Bytes of the output matrix and its norm; 0 where the embedding serves as output. */
  outputBytes: number;
  /** Bytes of each layer, first to last. */
  layerBytes: number[];
  /** Part of a split model: `index` counts from 0. `tensorCount` is that of all parts. */
  split: { index: number; count: number; tensorCount: number | null } | null;
  /** Tensor bytes by type label. */
  bytesByType: Record<string, number>;
  /** A mixture of experts; null: every token is multiplied with all weights. */
  experts: Experts | null;
  /** Of the tensor bytes by type label, those of experts of which a token takes a few. */
  expertBytesByType: Record<string, number>;
}

/** What of a mixture of experts a token takes, in each layer; the most of all layers. */
export interface Experts {
  count: number;
  used: number;
  /** Width of the middle of one expert; null: the header does not say. */
  feedForwardLength: number | null;
}

const positive = (max: number) => ({ min: 1, max });
const fromZero = (max: number) => ({ min: 0, max });

/** Builds the facts of one file. Throws `invalid_model_file` for values that no model has. */
export function buildFacts(header: {
  version: number;
  sizeBytes: number;
  metadata: Metadata;
  tensors: TensorSummary;
}): GgufFacts {
  const { metadata, tensors } = header;
  assertIsModel(metadata);
  const fields = createFields(metadata);
  const split = readSplit(fields);
  const architecture = readArchitecture(fields, split !== null && split.index > 0);
  const of = (key: string) => `${architecture}.${key}`;
  assertHasNoDecisionHead(metadata, of('decision.type'));

  const blockCount = fields.integer(of('block_count'), fromZero(ggufLimits.blocks));
  const embeddingLength = fields.integer(of('embedding_length'), positive(2 ** 20));
  const headCounts = fields.perLayer(of('attention.head_count'), fromZero(2 ** 14));
  const headCount = mostOf(headCounts);
  const isRecurrent = isRecurrentArchitecture(architecture);
  if (headCount === 0 && !isRecurrent) {
    throw invalidModelFile('out_of_range', `The model file has an impossible value for ${of('attention.head_count')}.`);
  }
  const causal = fields.boolean(of('attention.causal'));
  const vocabularySize =
    readVocabulary(fields) ?? fields.integer(of('vocab_size'), positive(ggufLimits.vocabularyTokens));
  const feedForward = fields.perLayer(of('feed_forward_length'), fromZero(2 ** 22));
  const fileType = fields.integer('general.file_type', fromZero(2 ** 31));
  const template = metadata.get(chatTemplateKey);

  return {
    version: header.version,
    architecture,
    name: fields.text('general.name') || null,
    sizeBytes: header.sizeBytes,
    tensorBytes: tensors.tensorBytes,
    tensorCount: tensors.tensorCount,
    parameterCount: tensors.parameterCount,
    quantization: quantizationLabel(fileType, tensors.bytesByType),
    trainedContextTokens: fields.integer(of('context_length'), positive(ggufLimits.contextTokens)),
    blockCount,
    embeddingLength,
    headCount,
    headCountKv: fields.perLayer(of('attention.head_count_kv'), fromZero(2 ** 14)),
    keyLength: fields.integer(of('attention.key_length'), positive(2 ** 16)),
    valueLength: fields.integer(of('attention.value_length'), positive(2 ** 16)),
    // Zero means that no layer has a window.
    slidingWindow: fields.integer(of('attention.sliding_window'), fromZero(ggufLimits.contextTokens)) || null,
    slidingLayers: slidingLayers(fields, of, { architecture, blockCount }),
    fullAttentionInterval: fields.integer(of('full_attention_interval'), positive(ggufLimits.blocks)),
    recurrentStateBytes: isRecurrent ? recurrentStateBytes(fields, of, { blockCount, embeddingLength }) : 0,
    vocabularySize,
    mergeCount: fields.textCount('tokenizer.ggml.merges') ?? 0,
    feedForwardLength: mostOf(feedForward),
    hasChatTemplate: template?.type === 'string' && template.lengthBytes > 0,
    thinks: template?.type === 'string' && hasReasoning(template.value ?? ''),
    poolingType: fields.integer(of('pooling_type'), { min: -1, max: 16 }),
    // Diffusion models are not causal either, but they do write text: they have no pooling.
    isEncoder: isEncoderArchitecture(architecture) || (causal === false && metadata.has(of('pooling_type'))),
    isRecurrent,
    hasNoAttention: hasNoAttention(architecture),
    tiedEmbedding: !tensors.hasOutput,
    embeddingBytes: tensors.embeddingBytes,
    embeddingType: tensors.embeddingType,
    outputBytes: tensors.outputBytes,
    layerBytes: tensors.layerBytes,
    split,
    bytesByType: tensors.bytesByType,
    experts: readExperts(fields, of),
    expertBytesByType: tensors.expertBytesByType,
  };
}

function readExperts(fields: Fields, of: (key: string) => string): Experts | null {
  const most = (key: string, max: number) => mostOf(fields.perLayer(of(key), fromZero(max)));
  const count = fields.integer(of('expert_count'), fromZero(2 ** 16)) ?? 0;
  const used = most('expert_used_count', 2 ** 16) ?? 0;
  if (count === 0 || used === 0) return null;
  return { count, used: Math.min(count, used), feedForwardLength: most('expert_feed_forward_length', 2 ** 22) };
}

/** The largest of all layers. */
function mostOf(value: number | number[] | null): number | null {
  return Array.isArray(value) ? Math.max(...value) : value;
}

/**
 * Of each layer whether it slides: from the file's own pattern, a value for every layer or, of a period of n layers, the last
 * one sees everything; else from the architecture.
 * Source: llama.cpp, `set_swa_pattern` in the loading of each architecture.
 */
function slidingLayers(
  fields: Fields,
  of: (key: string) => string,
  { architecture, blockCount }: Pick<GgufFacts, 'architecture' | 'blockCount'>,
): boolean[] | null {
  if (!blockCount || !fields.integer(of('attention.sliding_window'), fromZero(ggufLimits.contextTokens))) return null;
  const pattern = fields.perLayer(of('attention.sliding_window_pattern'), fromZero(ggufLimits.blocks));
  if (Array.isArray(pattern)) {
    return Array.from({ length: blockCount }, (_, layer) => (pattern[layer] ?? 0) !== 0);
  }
  const period = pattern ?? slidingPeriodOf(architecture);
  if (period === null) return null;
  return Array.from({ length: blockCount }, (_, layer) => period === 0 || layer % period < period - 1);
}

function readArchitecture(fields: Fields, isLaterPart: boolean): string {
  const architecture = fields.text('general.architecture');
  if (architecture === null && isLaterPart) return '';
  if (architecture === null)
    throw invalidModelFile('missing_architecture', 'The model file does not say what kind of model it is.');
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(architecture)) {
    throw invalidModelFile('bad_architecture', 'The model file names an impossible kind of model.');
  }
  return architecture;
}

function readSplit(fields: Fields): GgufFacts['split'] {
  // One part more than allowed, so that the message below is the one that people see.
  const count = fields.integer('split.count', fromZero(2 ** 16));
  if (count === null || count <= 1) return null;
  if (count > ggufLimits.splitParts) {
    throw invalidModelFile(
      'too_many_parts',
      `The model has ${count} parts; at most ${ggufLimits.splitParts} are read.`,
    );
  }
  const index = fields.integer('split.no', fromZero(count - 1));
  if (index === null)
    throw invalidModelFile('bad_split', 'The model file is a part of a split model but does not say which.');
  return {
    index,
    count,
    tensorCount: fields.integer('split.tensors.count', fromZero(ggufLimits.tensors * ggufLimits.splitParts)),
  };
}

/** Size of the vocabulary in the file; the tokens that end or begin a text must be in it. */
function readVocabulary(fields: Fields): number | null {
  const size = fields.textCount('tokenizer.ggml.tokens');
  if (size === null) return null;
  if (size === 0) throw invalidModelFile('empty_vocabulary', 'The model file has an empty vocabulary.');
  if (size > ggufLimits.vocabularyTokens)
    throw invalidModelFile('out_of_range', 'The vocabulary of the model file is too large.');
  for (const name of ['bos', 'eos', 'eot', 'eom']) {
    const id = fields.integer(`tokenizer.ggml.${name}_token_id`, { min: -1, max: 2 ** 32 - 1 });
    // -1, also as an unsigned number, means that the model has no such token.
    if (id !== null && id !== -1 && id !== 2 ** 32 - 1 && id >= size) {
      throw invalidModelFile('bad_token_id', `The model file names a token as ${name} that its vocabulary lacks.`);
    }
  }
  return size;
}

/** The quantizer's own label, else the type that most bytes have. */
function quantizationLabel(fileType: number | null, bytesByType: Record<string, number>): string {
  const types = Object.entries(bytesByType).sort((left, right) => right[1] - left[1]);
  if (types.length === 0) return 'unknown';
  return (fileType === null ? undefined : fileTypeLabels.get(fileType)) ?? types[0]![0];
}

/** F32 state of one sequence over all layers; hybrids have fewer such layers, so this is an upper bound. */
function recurrentStateBytes(
  fields: Fields,
  of: (key: string) => string,
  shape: { blockCount: number | null; embeddingLength: number | null },
): number {
  const blocks = shape.blockCount ?? 0;
  const embedding = shape.embeddingLength ?? 0;
  const inner = fields.integer(of('ssm.inner_size'), fromZero(2 ** 20));
  const state = fields.integer(of('ssm.state_size'), fromZero(2 ** 16));
  const kernel =
    fields.integer(of('ssm.conv_kernel'), fromZero(2 ** 10)) ??
    fields.integer(of('shortconv.l_cache'), fromZero(2 ** 10));
  const headSize = fields.integer(of('wkv.head_size'), fromZero(2 ** 16));
  const scan = (inner ?? 0) * (state ?? 0);
  const convolution = (kernel ?? 0) * ((inner ?? embedding) + 2 * (state ?? 0));
  const attentionLike = (headSize ?? 0) * embedding + (headSize === null ? 0 : 2 * embedding);
  return blocks * (scan + convolution + attentionLike) * 4;
}
