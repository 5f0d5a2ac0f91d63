/**
 * A process that loads a model with the library below a root and measures it as often as it is told to:
 * `node pace.ts ROOT MODEL [OPTIONS]` sends `{}` when the model is there, and one `Pace` for every message. `OPTIONS`:
 * `PaceOptions` as JSON.
 */
import type { Pace } from './choose.ts';
import { openModel } from './open-model.ts';

/** What is measured, and how. */
export interface PaceOptions {
  promptTokens: number;
  decodeTokens: number;
  threads: number;
  /** Seconds of a wall clock, or those that processors worked for this process: others do not change them. */
  clock: 'wall' | 'processor';
}

const usual: PaceOptions = { promptTokens: 256, decodeTokens: 48, threads: 2, clock: 'wall' };

const [root, modelPath, given = '{}'] = process.argv.slice(2) as [string, string, string?];
const options: PaceOptions = { ...usual, ...(JSON.parse(given) as Partial<PaceOptions>) };
const { promptTokens, decodeTokens } = options;
const { model, sequence } = await openModel(root, modelPath, options.threads);
const prompt = model.tokenize('hearth '.repeat(4 * promptTokens)).slice(0, promptTokens);
const perSecond = (tokens: number, tookMs: number) => (tokens * 1_000) / tookMs;

function nowMs(): number {
  if (options.clock === 'wall') return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function measure(): Promise<Pace> {
  await sequence.clearHistory();
  const startMs = nowMs();
  let firstMs = startMs;
  let count = 0;
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (count === 0) firstMs = nowMs();
    if (count++ === decodeTokens) break;
  }
  if (count <= decodeTokens) throw new Error('the model ended its answer');
  return {
    prompt: perSecond(prompt.length, firstMs - startMs),
    decode: perSecond(decodeTokens, nowMs() - firstMs),
  };
}

process.on('message', async () => process.send!(await measure()));
process.send!({});
