import { describe, expect, it } from 'vitest';
import { growth, type Sample } from '../../../scripts/bench/soak-samples.ts';

const sample = (atMs: number, serverBytes: number | null): Sample => ({
  atMs,
  serverBytes,
  workerBytes: null,
  serverDescriptors: 10,
  workerDescriptors: null,
});

describe('growth of a soak', () => {
  it('is per hour', () => {
    const samples = [0, 1, 2, 3, 4].map((minute) => sample(minute * 60_000, 1000 + minute * 5));
    expect(growth(samples, (found) => found.serverBytes)).toBeCloseTo(300);
  });

  it('leaves out the first fifth, in which everything fills up once', () => {
    const samples = [sample(0, 0), ...[20, 40, 60, 80, 100].map((second) => sample(second * 1000, 500))];
    expect(growth(samples, (found) => found.serverBytes)).toBeCloseTo(0);
  });

  it('is unknown with fewer than three readings', () => {
    expect(growth([sample(0, 1), sample(1000, 2), sample(2000, null)], (found) => found.serverBytes)).toBeNull();
    expect(growth([], (found) => found.serverBytes)).toBeNull();
  });
});
