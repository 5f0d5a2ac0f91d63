import type { PlannedTensor } from '../gguf/write-gguf.ts';
import { normalValues } from './random.ts';

/** How the matrices of a model are stored; vectors are always in single precision, as llama.cpp wants them. */
export type Storage = 'f32' | 'f16' | 'q8_0';

/** Number of the storage type in GGUF, and of the file type that means "mostly this". */
export const storageTypes: Readonly<Record<Storage, { typeNumber: number; fileType: number }>> = {
  f32: { typeNumber: 0, fileType: 0 },
  f16: { typeNumber: 1, fileType: 1 },
  q8_0: { typeNumber: 8, fileType: 7 },
};

/** Collects the tensors of one model. Every tensor draws from a seed of its own, so that no two layers are equal. */
export interface TensorList {
  readonly tensors: readonly PlannedTensor[];
  /** Values around zero. `rowScale` weighs single rows up or down. */
  matrix(name: string, columns: number, rows: number, deviation: number, rowScale?: (row: number) => number): void;
  /** `count` matrices one behind the other, as the experts of a layer are stored. */
  matrices(name: string, columns: number, rows: number, count: number, deviation: number): void;
  /** As `matrix`, but in single precision whatever the model's storage. */
  plainMatrix(name: string, columns: number, rows: number, valueAt: (normal: number, index: number) => number): void;
  /** Values around `mean`. */
  vector(name: string, length: number, mean: number, deviation?: number): void;
}

/** `storage` is for matrices; `seed` decides all values. */
export function createTensorList(deps: { storage: Storage; seed: number }): TensorList {
  const tensors: PlannedTensor[] = [];
  const add = (name: string, dimensions: number[], storage: Storage, values: Float32Array<ArrayBuffer>) => {
    const bytes = encode(values, storage);
    const { typeNumber } = storageTypes[storage];
    tensors.push({ name, dimensions, typeNumber, sizeBytes: bytes.length, pieces: () => [bytes] });
  };
  const draw = (count: number) => normalValues(count, Math.imul(deps.seed * 1_000 + tensors.length + 1, 0x9e3779b1));
  return {
    tensors,
    matrix(name, columns, rows, deviation, rowScale = () => 1) {
      const values = draw(columns * rows);
      for (let index = 0; index < values.length; index++) {
        values[index]! *= deviation * rowScale(Math.floor(index / columns));
      }
      add(name, [columns, rows], deps.storage, values);
    },
    matrices(name, columns, rows, count, deviation) {
      const values = draw(columns * rows * count).map((normal) => normal * deviation);
      add(name, [columns, rows, count], deps.storage, values);
    },
    plainMatrix(name, columns, rows, valueAt) {
      add(name, [columns, rows], 'f32', draw(columns * rows).map(valueAt));
    },
    vector(name, length, mean, deviation = 0) {
      add(
        name,
        [length],
        'f32',
        draw(length).map((normal) => mean + normal * deviation),
      );
    },
  };
}

function encode(values: Float32Array<ArrayBuffer>, storage: Storage): Buffer {
  if (storage === 'f32') return Buffer.from(values.buffer);
  if (storage === 'f16') return Buffer.from(Float16Array.from(values).buffer);
  return encodeQ8(values);
}

/** Blocks of 32 values: a half-precision scale, then one signed byte each. Source: Q8_0 of ggml. */
function encodeQ8(values: Float32Array): Buffer {
  const blocks = values.length / 32;
  const bytes = Buffer.alloc(blocks * 34);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let block = 0; block < blocks; block++) {
    const part = values.subarray(block * 32, block * 32 + 32);
    const scale = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    view.setFloat16(block * 34, scale, true);
    part.forEach((value, index) => {
      bytes.writeInt8(scale === 0 ? 0 : Math.round(value / scale), block * 34 + 2 + index);
    });
  }
  return bytes;
}
