/**
 * Greedy answers of node-llama-cpp alone: one sequence, nothing reused, the prompt written by hand. Run as a process:
 * `node bare-library.ts MODEL` reads `[{ prompt, maxTokens }]` from stdin and writes `[{ text, firm, whole }]` to
 * stdout, where `firm` is the part before the first close call (two best candidates nearer than 0.1 nat) and `whole`
 * says that there was none.
 */
import { text as readText } from 'node:stream/consumers';
import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp';

const closeCallNats = 0.1;

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  // One thread: a second one would wait for cores that other tests hold, and the texts do not depend on it.
  maxThreads: 1,
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: process.argv[2]! });
const context = await model.createContext({ contextSize: 2048, sequences: 1, batchSize: 512, threads: 1 });
const sequence = context.getSequence();
const answers = [];
for (const { prompt, maxTokens } of JSON.parse(await readText(process.stdin)) as {
  prompt: string;
  maxTokens: number;
}[]) {
  await sequence.clearHistory();
  const tokens: Token[] = [];
  let firmTokens: number | null = null;
  // Temperature 1 shows the true probabilities; the best candidate is handed back as the choice.
  const options = { temperature: 1, topK: 64, topP: 1, minP: 0, seed: 1, yieldEogToken: true };
  const steps = sequence.evaluateWithMetadata(model.tokenize(prompt, true), { probabilities: true }, options);
  for (let step = await steps.next(); !step.done; ) {
    const [best, second] = [...step.value.probabilities.entries()].sort((a, b) => b[1] - a[1]);
    if (firmTokens === null && second && Math.log(best![1] / second[1]) < closeCallNats) firmTokens = tokens.length;
    if (model.isEogToken(best![0])) break;
    tokens.push(best![0]);
    if (tokens.length >= maxTokens) break;
    step = await steps.next(best![0]);
  }
  await steps.return();
  answers.push({
    text: model.detokenize(tokens),
    firm: model.detokenize(tokens.slice(0, firmTokens ?? tokens.length)),
    whole: firmTokens === null,
  });
}
process.stdout.write(JSON.stringify(answers));
process.exit(0);
