/**
 * A process that loads a model with the library below a root, tells which kernels that took, and what they predict:
 * `node probe.ts ROOT MODEL` sends one `ProbeResult` to its parent. Other kernels need another process.
 */
import { openModel } from './open-model.ts';

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
const { model, sequence, kernels } = await openModel(root, modelPath);
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
const result: ProbeResult = { kernels, predictions };
process.send!(result, () => process.exit());
