/**
 * A process that loads a model with the library below a root, tells which kernels that took, and what they predict:
 * `node probe.ts ROOT MODEL` sends one `ProbeResult` to its parent. Other kernels need another process.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Token to probability, of the likeliest ones. */
export type Prediction = Record<number, number>;

export interface ProbeResult {
  /** Path of the loaded kernels; null when the library has none to choose from. */
  kernels: string | null;
  /** One for each portion of the prompt. */
  predictions: Prediction[];
}

/** Whole tiles of 64 rows, cut ones, more than one for a head, and fewer rows than a tile. */
const portions = [64, 100, 65, 37, 128, 200, 1, 192];
const kept = 20;

const [root, modelPath] = process.argv.slice(2) as [string, string];
const entry = createRequire(join(root, 'package.json')).resolve('node-llama-cpp');
const { getLlama } = (await import(pathToFileURL(entry).href)) as typeof import('node-llama-cpp');
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 2 });
const model = await llama.loadModel({ modelPath, gpuLayers: 0, ignoreMemorySafetyChecks: true });
const context = await model.createContext({ contextSize: 1024, batchSize: 256, threads: 2, flashAttention: true });
const sequence = context.getSequence();
const text = 'Hearth runs language models at home, on a NAS or another small machine with few cores. ';
const tokens = model.tokenize(text.repeat(80));

const predictions: Prediction[] = [];
let from = 0;
for (const portion of portions) {
  const chunk = tokens.slice(from, from + portion);
  from += portion;
  const iterator = sequence.evaluateWithMetadata(chunk, { probabilities: true }, { temperature: 0 });
  const { value } = await iterator.next();
  await iterator.return();
  if (!value) throw new Error('the model predicted nothing');
  const likeliest = [...value.probabilities].toSorted(([, a], [, b]) => b - a).slice(0, kept);
  predictions.push(Object.fromEntries(likeliest));
}
const [, kernels = null] = /(\/.*\/libggml-cpu-[^/]+\.so)$/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
const result: ProbeResult = { kernels, predictions };
process.send!(result, () => process.exit());
