import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../../src/worker/llama/fingerprint.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-fingerprint-'));
const fileOf = (name: string, bytes: Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe('a fingerprint', () => {
  const bytes = Buffer.alloc(8 * 1024 * 1024, 7);

  it('names the build of llama.cpp, then the file, by its content alone', async () => {
    const first = await fingerprintOf(fileOf('a.gguf', bytes), 'b8390');
    expect(first).toMatch(/^b8390-[0-9a-f]{12}$/);
    expect(await fingerprintOf(fileOf('b.gguf', bytes), '8390')).toBe(first);
    expect(await fingerprintOf(fileOf('b.gguf', bytes), 'v0.5.0')).toBe(first.replace('b8390', 'b0.5.0'));
  });

  it('differs for weights that differ, wherever they were trained on, and for a file that was cut', async () => {
    const last = Buffer.from(bytes);
    last[last.length - 1] = 8;
    const within = Buffer.from(bytes).fill(8, 3 * 1024 * 1024, 5 * 1024 * 1024);
    const names = await Promise.all(
      [bytes, last, within, bytes.subarray(0, -1), Buffer.alloc(0)].map((content, index) =>
        fingerprintOf(fileOf(`${index}.gguf`, content), 'b1'),
      ),
    );
    expect(new Set(names).size).toBe(5);
  });
});
