/**
 * A process that loads a model with the library below a root and measures it as often as it is told to:
 * `node pace.ts ROOT MODEL` sends `{}` when the model is there, and one `Pace` for every message.
 */
import type { Pace } from './choose.ts';
import { openModel } from './open-model.ts';

const promptTokens = 256;
const decodeTokens = 48;

const [root, modelPath] = process.argv.slice(2) as [string, string];
const { model, sequence } = await openModel(root, modelPath);
const prompt = model.tokenize('hearth '.repeat(4 * promptTokens)).slice(0, promptTokens);
const perSecond = (tokens: number, tookMs: number) => (tokens * 1_000) / tookMs;

async function measure(): Promise<Pace> {
  await sequence.clearHistory();
  const startMs = performance.now();
  let firstMs = startMs;
  let count = 0;
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (count === 0) firstMs = performance.now();
    if (count++ === decodeTokens) break;
  }
  if (count <= decodeTokens) throw new Error('the model ended its answer');
  return {
    prompt: perSecond(prompt.length, firstMs - startMs),
    decode: perSecond(decodeTokens, performance.now() - firstMs),
  };
}

process.on('message', async () => process.send!(await measure()));
process.send!({});
