import { describe, expect, it } from 'vitest';
import { packVector, unpackVector } from '../../src/core/embedding.ts';

describe('a packed vector', () => {
  it('is the base64 of its little-endian 32-bit floats', () => {
    expect(packVector([1, -2, 0.5])).toBe('AACAPwAAAMAAAAA/');
    const bytes = Buffer.from(packVector([1, -2, 0.5]), 'base64');
    expect([...new Float32Array(bytes.buffer, bytes.byteOffset, 3)]).toEqual([1, -2, 0.5]);
  });

  it('gives back every 32-bit float exactly', () => {
    const vector = [0, -0, Math.fround(0.1), Math.fround(-1e-30), 2 ** -149, 3.4028234663852886e38].map(Math.fround);
    expect(unpackVector(packVector(vector))).toEqual(vector);
    expect(unpackVector(packVector([]))).toEqual([]);
  });
});
