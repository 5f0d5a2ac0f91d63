import type { ByteReader } from './byte-reader.ts';
import { ggufLimits, invalidModelFile } from './limits.ts';
import { tensorTypes } from './tensor-types.ts';

/** One tensor as the header describes it. */
export interface Tensor {
  name: string;
  /** Its type. */
  label: string;
  dimensions: number[];
  elements: number;
  offsetBytes: number;
  sizeBytes: number;
}

/** Sums over the tensors of one file. */
export interface TensorSummary {
  tensorCount: number;
  tensorBytes: number;
  parameterCount: number;
  bytesByType: Record<string, number>;
  /** Of those, what experts have of which each token takes some. */
  expertBytesByType: Record<string, number>;
  hasOutput: boolean;
  /** Size of the token embedding, 0 without one. */
  embeddingBytes: number;
  /** Type label of the token embedding, or null without one. */
  embeddingType: string | null;
  /** Size of the output matrix and its norm, 0 without them. */
  outputBytes: number;
  /** Size of each layer's tensors, by layer; a layer that is in another part of a split model has 0. */
  layerBytes: number[];
  /** Where each tensor lies in the data section; the alignment is part of the check. */
  extents: { offsetBytes: number; sizeBytes: number }[];
}

/** Name length, one character, dimension count, one dimension, type, offset. */
const leastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

/** All experts of a layer are one tensor. Source: llama.cpp's names, such as `blk.0.ffn_gate_exps.weight`. */
const isOfExperts = /_exps\./;

/** Reads `count` tensor descriptions; `visit` sees each. Throws `invalid_model_file`. */
export async function readTensors(
  reader: ByteReader,
  count: number,
  visit: (tensor: Tensor) => void = () => {},
): Promise<TensorSummary> {
  if (count > ggufLimits.tensors || count * leastTensorBytes > reader.bytesLeft()) {
    throw invalidModelFile('bad_tensor_count', 'The model file claims more tensors than it can hold.');
  }
  const bytesByType = new Map<string, number>();
  const expertBytesByType = new Map<string, number>();
  const names = new Set<string>();
  const summary: TensorSummary = {
    tensorCount: count,
    tensorBytes: 0,
    parameterCount: 0,
    bytesByType: {},
    expertBytesByType: {},
    hasOutput: false,
    embeddingBytes: 0,
    embeddingType: null,
    outputBytes: 0,
    layerBytes: [],
    extents: [],
  };
  for (let index = 0; index < count; index++) {
    const tensor = await readTensor(reader);
    if (names.has(tensor.name)) throw invalidModelFile('duplicate_tensor', 'The model file has the same tensor twice.');
    names.add(tensor.name);
    visit(tensor);
    summary.extents.push({ offsetBytes: tensor.offsetBytes, sizeBytes: tensor.sizeBytes });
    summary.tensorBytes += tensor.sizeBytes;
    summary.parameterCount += tensor.elements;
    addBytes(bytesByType, tensor);
    if (isOfExperts.test(tensor.name)) addBytes(expertBytesByType, tensor);
    if (tensor.name === 'output.weight') summary.hasOutput = true;
    if (tensor.name === 'token_embd.weight') {
      summary.embeddingBytes = tensor.sizeBytes;
      summary.embeddingType = tensor.label;
    }
    if (tensor.name.startsWith('output')) summary.outputBytes += tensor.sizeBytes;
    addToLayer(summary.layerBytes, tensor);
  }
  summary.bytesByType = Object.fromEntries(bytesByType);
  summary.expertBytesByType = Object.fromEntries(expertBytesByType);
  return summary;
}

function addBytes(bytes: Map<string, number>, { label, sizeBytes }: { label: string; sizeBytes: number }): void {
  bytes.set(label, (bytes.get(label) ?? 0) + sizeBytes);
}

function addToLayer(layerBytes: number[], tensor: { name: string; sizeBytes: number }): void {
  const layer = Number(/^blk\.(\d{1,4})\./.exec(tensor.name)?.[1] ?? ggufLimits.blocks);
  if (layer >= ggufLimits.blocks) return;
  while (layerBytes.length <= layer) layerBytes.push(0);
  layerBytes[layer]! += tensor.sizeBytes;
}

async function readTensor(reader: ByteReader): Promise<Tensor> {
  await reader.ensure(8);
  const nameBytes = reader.u64();
  if (nameBytes === 0 || nameBytes > ggufLimits.tensorNameBytes) {
    throw invalidModelFile('bad_tensor_name', 'The model file has a tensor whose name is empty or too long.');
  }
  await reader.ensure(nameBytes + 4);
  const name = reader.latin1(nameBytes);
  const dimensionCount = reader.u32();
  if (dimensionCount < 1 || dimensionCount > ggufLimits.dimensions) {
    throw invalidModelFile('bad_dimensions', 'The model file has a tensor with an impossible number of dimensions.');
  }
  await reader.ensure(dimensionCount * 8 + 12);
  const dimensions = Array.from({ length: dimensionCount }, () => reader.u64());
  const type = tensorTypes.get(reader.u32());
  const offsetBytes = reader.u64();
  if (!type)
    throw invalidModelFile('unknown_tensor_type', 'The model file uses a quantization that this version cannot read.');

  const elements = dimensions.reduce((product, dimension) => product * dimension, 1);
  if (dimensions.includes(0) || !Number.isSafeInteger(elements)) {
    throw invalidModelFile('bad_dimensions', 'The model file has a tensor with impossible dimensions.');
  }
  // Blocks never reach over the end of a row.
  if (dimensions[0]! % type.blockElements !== 0) {
    throw invalidModelFile('bad_dimensions', 'The model file has a tensor whose rows do not fit its quantization.');
  }
  const sizeBytes = (elements / type.blockElements) * type.blockBytes;
  return { name, label: type.label, dimensions, elements, offsetBytes, sizeBytes };
}

/**
 * Checks that every tensor lies aligned within the file and that none covers another.
 * `dataStartBytes`: where the data section begins.
 */
export function checkExtents(
  extents: TensorSummary['extents'],
  file: { dataStartBytes: number; sizeBytes: number; alignmentBytes: number },
): void {
  const sorted = extents.toSorted((left, right) => left.offsetBytes - right.offsetBytes);
  let endBytes = 0;
  for (const { offsetBytes, sizeBytes } of sorted) {
    if (offsetBytes % file.alignmentBytes !== 0) {
      throw invalidModelFile('misaligned_tensor', 'The model file has a tensor at an offset that is not aligned.');
    }
    if (offsetBytes < endBytes)
      throw invalidModelFile('overlapping_tensors', 'The model file has tensors that overlap.');
    endBytes = offsetBytes + sizeBytes;
    if (file.dataStartBytes + endBytes > file.sizeBytes) {
      throw invalidModelFile(
        'truncated_data',
        'The model file ends before its weights do; it was not copied completely.',
      );
    }
  }
}
