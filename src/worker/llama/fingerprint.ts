import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** The header, where names and shapes stand, and places in the weights: two trainings of one model have equal headers. */
const headBytes = 1024 * 1024;
const samples = 16;
const sampleBytes = 64 * 1024;

/**
 * Tells builds of llama.cpp and models apart: `b0.5.0-0f3a9c51e2d4`. Equal ones answer an equal request with a seed alike.
 * The hash is of the file's length and of about 2 MiB of it, so that a model of any size is named at once.
 */
export async function fingerprintOf(modelPath: string, llamaRelease: string): Promise<string> {
  const file = await open(modelPath);
  try {
    const { size } = await file.stat();
    const hash = createHash('sha256').update(String(size));
    const add = async (position: number, length: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
      hash.update(buffer.subarray(0, bytesRead));
    };
    await add(0, headBytes);
    for (let sample = 1; sample <= samples; sample++) {
      await add(Math.max(0, Math.floor((size * sample) / samples) - sampleBytes), sampleBytes);
    }
    return `${llamaRelease.replace(/^\D?/, 'b')}-${hash.digest('hex').slice(0, 12)}`;
  } finally {
    await file.close();
  }
}
