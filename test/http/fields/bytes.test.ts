import { describe, expect, it } from 'vitest';
import { formatBytes } from '../../../src/http/fields/bytes.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1KB'],
    [1536, '1.5KB'],
    [3_460_300, '3.3MB'],
    [1024 ** 2 - 1, '1MB'],
    [2.1 * 1024 ** 3, '2.1GB'],
    [8 * 1024 ** 3, '8GB'],
    [5000 * 1024 ** 4, '5000TB'],
  ])('writes %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
