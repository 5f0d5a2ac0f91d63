import { describe, expect, it } from 'vitest';
import { createTensorList, type Storage } from '../../../scripts/tiny-models/tensors.ts';

const bytesOf = (storage: Storage, seed = 1) => {
  const list = createTensorList({ storage, seed });
  list.matrix('matrix', 64, 4, 0.5, (row) => (row === 3 ? 0 : 1));
  list.vector('vector', 8, 2);
  const [matrix, vector] = list.tensors.map(({ pieces }) => Buffer.concat([...pieces()]));
  return { matrix: matrix!, vector: vector! };
};

/** Values as llama.cpp reads them. */
function decode(bytes: Buffer, storage: Storage): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (storage === 'f32') return Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(at * 4, true));
  if (storage === 'f16') return Array.from({ length: bytes.length / 2 }, (_, at) => view.getFloat16(at * 2, true));
  return Array.from({ length: bytes.length / 34 }, (_, block) =>
    Array.from({ length: 32 }, (_, at) => view.getFloat16(block * 34, true) * view.getInt8(block * 34 + 2 + at)),
  ).flat();
}

describe('the tensors of a tiny model', () => {
  it.each([
    ['f16', 0.001],
    ['q8_0', 0.01],
  ] as const)('hold the same values in %s as in single precision', (storage, toleratedDifference) => {
    const exact = decode(bytesOf('f32').matrix, 'f32');
    const stored = decode(bytesOf(storage).matrix, storage);
    expect(stored).toHaveLength(256);
    for (const [index, value] of stored.entries()) {
      expect(Math.abs(value - exact[index]!)).toBeLessThan(toleratedDifference);
    }
  });

  it('spread as asked for, row by row', () => {
    const values = decode(bytesOf('f32').matrix, 'f32');
    const deviation = Math.hypot(...values.slice(0, 192)) / Math.sqrt(192);
    expect(deviation).toBeGreaterThan(0.4);
    expect(deviation).toBeLessThan(0.6);
    expect(values.slice(192).every((value) => value === 0)).toBe(true);
  });

  it('keep vectors in single precision', () => {
    expect(decode(bytesOf('q8_0').vector, 'f32')).toEqual(Array.from({ length: 8 }, () => 2));
  });

  it('differ from seed to seed', () => {
    expect(bytesOf('f32', 2).matrix.equals(bytesOf('f32', 1).matrix)).toBe(false);
  });
});
