import { type GgufValue, tinyGguf, tinyTensors } from './gguf-writer.ts';

/** A valid model file of about so many bytes, whose weights are the same noise every time. */
export function modelBytes(bytes: number, seed = 1, metadata: Record<string, GgufValue | null> = {}): Buffer {
  const rows = Math.ceil(bytes / 32);
  const file = tinyGguf(metadata, { tensors: [...tinyTensors, { name: 'output.weight', dimensions: [8, rows] }] });
  let state = seed;
  for (let offset = file.length - rows * 32; offset + 4 <= file.length; offset += 4) {
    // A linear congruential generator: cheap, and no two pieces of the file are alike.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    file.writeUInt32LE(state, offset);
  }
  return file;
}

/** The parts of a split model, named as the splitter names them. */
export function splitModel(stem: string, count: number, bytes: number): { path: string; bytes: Buffer }[] {
  const digits = (value: number) => String(value).padStart(5, '0');
  return Array.from({ length: count }, (_, index) => ({
    path: `${stem}-${digits(index + 1)}-of-${digits(count)}.gguf`,
    bytes: modelBytes(bytes, index + 1, {
      'split.no': { u16: index },
      'split.count': { u16: count },
      'split.tensors.count': { i32: 4 * count },
    }),
  }));
}
