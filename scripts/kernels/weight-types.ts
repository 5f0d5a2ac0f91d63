import type { QuantizedType } from '../bench/gguf/weights.ts';

/** 0.00027: with the integers of any of these types, weights of about the size of trained ones. */
const scaleBits = 0x0c6d;

const type = (
  label: string,
  typeNumber: number,
  fileType: number,
  [elements, bytes]: [number, number],
  scaleOffsets: readonly number[] = [0],
): QuantizedType => ({ label, typeNumber, fileType, elements, bytes, scaleBits, scaleOffsets });

/** The types of weights that models are made of, as llama.cpp lays out their blocks (ggml-common.h). */
export const weightTypes: readonly QuantizedType[] = [
  type('q4_0', 2, 2, [32, 18]),
  type('q4_1', 3, 3, [32, 20], [0, 2]),
  type('q5_0', 6, 8, [32, 22]),
  type('q5_1', 7, 9, [32, 24], [0, 2]),
  type('q8_0', 8, 7, [32, 34]),
  type('iq4_nl', 20, 25, [32, 18]),
  type('q2_k', 10, 10, [256, 84], [80, 82]),
  type('q3_k', 11, 11, [256, 110], [108]),
  type('q4_k', 12, 14, [256, 144], [0, 2]),
  type('q5_k', 13, 16, [256, 176], [0, 2]),
  type('q6_k', 14, 18, [256, 210], [208]),
  type('iq4_xs', 23, 30, [256, 136]),
  type('iq3_xxs', 18, 23, [256, 98]),
  type('iq3_s', 21, 26, [256, 110]),
];
