import { describe, expect, it } from 'vitest';
import { slotsFor } from '../../../src/engine/residents/launcher.ts';

describe('the slots of a model', () => {
  it('are the plan’s where it generates, and as wished or four where requests only take turns', () => {
    expect(slotsFor('generate', 2, undefined)).toBe(2);
    expect(slotsFor('generate', 2, 8)).toBe(2);
    expect(slotsFor('embed', 1, undefined)).toBe(4);
    expect(slotsFor('rank', 1, undefined)).toBe(4);
    expect(slotsFor('embed', 1, 2)).toBe(2);
  });
});
