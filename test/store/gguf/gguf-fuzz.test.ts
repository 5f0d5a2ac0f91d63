import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { readGgufSource } from '../../../src/store/gguf/gguf.ts';
import { bufferSource, tinyGguf } from '../../support/gguf-writer.ts';

const original = tinyGguf({ 'general.alignment': { u32: 32 }, 'llama.rope.freq_base': { f32: 10_000 } });

/** One edit: overwrite bytes, cut, remove or insert a block. */
const edit = fc.oneof(
  fc.record({
    type: fc.constant('write' as const),
    at: fc.nat(original.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
  }),
  fc.record({ type: fc.constant('flip' as const), at: fc.nat(original.length - 1), bit: fc.nat(7) }),
  fc.record({ type: fc.constant('fill' as const), at: fc.nat(original.length - 1), length: fc.constantFrom(4, 8) }),
  fc.record({ type: fc.constant('cut' as const), at: fc.nat(original.length - 1) }),
  fc.record({ type: fc.constant('remove' as const), at: fc.nat(original.length - 1), length: fc.nat(64) }),
  fc.record({
    type: fc.constant('insert' as const),
    at: fc.nat(original.length - 1),
    bytes: fc.uint8Array({ maxLength: 64 }),
  }),
);

type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function apply(file: Buffer, change: Edit): Buffer {
  switch (change.type) {
    case 'write': {
      const copy = Buffer.from(file);
      copy.set(change.bytes.subarray(0, Math.max(0, copy.length - change.at)), Math.min(change.at, copy.length));
      return copy;
    }
    case 'flip': {
      const copy = Buffer.from(file);
      if (change.at < copy.length) copy[change.at]! ^= 1 << change.bit;
      return copy;
    }
    case 'fill':
      return Buffer.from(file).fill(
        0xff,
        Math.min(change.at, file.length),
        Math.min(change.at + change.length, file.length),
      );
    case 'cut':
      return file.subarray(0, change.at);
    case 'remove':
      return Buffer.concat([file.subarray(0, change.at), file.subarray(change.at + change.length)]);
    case 'insert':
      return Buffer.concat([file.subarray(0, change.at), change.bytes, file.subarray(change.at)]);
  }
}

const mutations = 100_000;

test('any damage to a file gives facts or invalid_model_file, never anything else', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const file = edits.reduce(apply, original);
      try {
        const facts = await readGgufSource(bufferSource(file));
        expect(facts.tensorBytes).toBeLessThanOrEqual(file.length);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(AppError);
        expect((error as AppError).code).toBe('invalid_model_file');
        expect((error as AppError).details?.['reason']).toMatch(/^[a-z0-9_]+$/);
      }
    }),
    { seed: 20_260_101, numRuns: mutations },
  );
  // Guards the test itself: damage must often be seen, and sometimes not matter.
  expect(refused).toBeGreaterThan(mutations / 5);
  expect(refused).toBeLessThan(mutations);
});
