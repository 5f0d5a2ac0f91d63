import { describe, expect, it } from 'vitest';
import {
  fileSize,
  formatBytes,
  gibibytes,
  gigabytes,
  mebibytes,
  memorySize,
  timeLeft,
} from '../../src/core/format-units.ts';

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

describe('sizes', () => {
  it.each([
    [fileSize, 0, '0 kB'],
    [fileSize, 1, '1 kB'],
    [fileSize, 1_500_000, '2 MB'],
    [fileSize, 4_767_104_224, '4.8 GB'],
    [memorySize, 1, '1 MB'],
    [memorySize, 312_000_001, '313 MB'],
    [memorySize, 4_767_104_224, '4.8 GB'],
    [gigabytes, 250_000_000, '0.3 GB'],
    [gibibytes, 6 * 2 ** 30, '6.0 GiB'],
    [mebibytes, 2 ** 19, '0.5 MiB'],
    [mebibytes, -(2 ** 20), '-1.0 MiB'],
  ])('%o writes %d as %s', (format, bytes, text) => {
    expect(format(bytes)).toBe(text);
  });
});

describe('the time that is left', () => {
  it.each([
    [0, '0 s'],
    [41.2, '42 s'],
    [60, '1 min'],
    [601, '11 min'],
    [7_500, '2 h 5 min'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(timeLeft(seconds)).toBe(text);
  });
});
