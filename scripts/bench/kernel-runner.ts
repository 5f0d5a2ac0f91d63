/**
 * Entry of a process of the `kernels` bench: it loads a model with the library below a root and measures what it is told to.
 * `node kernel-runner.ts ROOT MODEL THREADS` sends the path of its kernels when the model is there.
 */
import { existsSync } from 'node:fs';
import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp';
import { loadModel } from '../kernels/open-model.ts';
import { alignedBatching } from './aligned-batching.ts';
import type { Scenario, ToKernelRunner, Took } from './kernel-scenarios.ts';
import { uniqueWords } from './prompts.ts';

/** As the server reads prompts that nobody has to wait for. */
const batchTokens = 512;
const mostTokens = 3_328;
/** What a stream gets in the end of everything; more is not measured here. */
const streamTokens = 256;

const [root, modelPath, threadsText] = process.argv.slice(2) as [string, string, string];
const threads = Number(threadsText);
const { model, kernels } = await loadModel(root, modelPath, threads);
const text = model.tokenize(uniqueWords(mostTokens, 1)).slice(0, mostTokens);
const contexts = new Map<number, { context: LlamaContext; sequences: LlamaContextSequence[] }>();

async function sequencesFor(streams: number): Promise<LlamaContextSequence[]> {
  const open = contexts.get(streams);
  if (open) return open.sequences;
  const context = await model.createContext({
    contextSize: streams === 1 ? mostTokens : streamTokens,
    sequences: streams,
    batchSize: batchTokens,
    threads,
    flashAttention: true,
    batching: alignedBatching(() => streams),
  });
  const sequences = Array.from({ length: streams }, () => context.getSequence());
  contexts.set(streams, { context, sequences });
  return sequences;
}

/** The same on both sides, and the slower need not read it. */
async function fill(tokens: number, file: string): Promise<void> {
  const [sequence] = await sequencesFor(1);
  await sequence!.clearHistory();
  if (existsSync(file)) return await sequence!.loadStateFromFile(file, { acceptRisk: true });
  await sequence!.evaluateWithoutGeneratingNewTokens(text.slice(0, tokens));
  await sequence!.saveStateToFile(file);
}

async function measure({ depth, read, steps, streams }: Scenario): Promise<Took> {
  const sequences = await sequencesFor(streams);
  for (const sequence of sequences) {
    await sequence.eraseContextTokenRanges([{ start: depth, end: sequence.nextTokenIndex }]);
  }
  const prompt = text.slice(depth, depth + Math.max(read, 1));
  const answers = sequences.map((sequence, index) =>
    sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true, evaluationPriority: index as 1 }),
  );
  const next = (...tokens: [] | [Token]) => Promise.all(answers.map((answer) => answer.next(...tokens)));
  const reading = await timed(next);
  const answering = await timed(async () => {
    // Not what the model would say: another text on each side would be another measurement.
    for (let step = 0; step < steps; step++) await next(text[step]!);
  });
  await Promise.all(answers.map((answer) => answer.return()));
  return read > 0 ? { tokens: read * streams, ...reading } : { tokens: steps * streams, ...answering };
}

async function timed(act: () => Promise<unknown>): Promise<Omit<Took, 'tokens'>> {
  const [startMs, before] = [performance.now(), process.cpuUsage()];
  await act();
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - startMs, processorMs: (user + system) / 1_000 };
}

process.on('message', async (message: ToKernelRunner) => {
  if (message.type === 'fill') {
    await fill(message.tokens, message.file);
    process.send!({});
  } else process.send!(await measure(message.scenario));
});
process.on('disconnect', () => process.exit(0));
process.send!(kernels);
