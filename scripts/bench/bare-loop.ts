/**
 * Entry of a process that decodes with node-llama-cpp alone: the yardstick of the `engine` bench. No server, no
 * scheduler, no messages per token; its own clock times the tokens. With `aligned`, a batch waits until every running
 * sequence has queued its token and holds the sequences in ascending order, which is the best that the library's
 * public interface gives; without it, the library batches as it comes.
 */
import { setPriority } from 'node:os';
import {
  getLlama,
  type LlamaContext,
  type LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp';
import { alignedBatching } from './aligned-batching.ts';
import type { BareOptions, FromBare, ToBare } from './bare-protocol.ts';
import { benchSampling } from './sampling.ts';
import type { StreamTrace } from './trace.ts';

/** Niceness of the engine's worker: on a busy machine another one would not be the same race. */
const workerNiceness = 5;

interface Opened {
  model: LlamaModel;
  context: LlamaContext;
  sequences: LlamaContextSequence[];
}

let model: LlamaModel | null = null;
let opened: Opened | null = null;
/** Streams of the running job that still generate; what a full batch is measured by. */
let active = 0;

async function open(options: BareOptions): Promise<void> {
  if (!model) {
    const llama = await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      // No bound of the library's own: the context's number is used as it stands.
      maxThreads: 0,
      logLevel: LlamaLogLevel.error,
    });
    model = await llama.loadModel({ modelPath: options.modelPath });
  }
  const context = await model.createContext({
    contextSize: options.contextTokens,
    sequences: options.streams,
    threads: options.threads,
    batchSize: options.batchTokens,
    flashAttention: 'auto',
    ...(options.aligned && { batching: alignedBatching(() => active) }),
  });
  opened = { model, context, sequences: Array.from({ length: options.streams }, () => context.getSequence()) };
}

async function run(prompts: string[], generateTokens: number): Promise<StreamTrace[]> {
  if (!opened) throw new Error('nothing is open');
  const { sequences } = opened;
  for (const sequence of sequences) await sequence.clearHistory();
  active = prompts.length;
  return Promise.all(prompts.map((prompt, slot) => stream(slot, prompt, generateTokens)));
}

async function stream(slot: number, prompt: string, generateTokens: number): Promise<StreamTrace> {
  const { model: loaded, sequences } = opened!;
  const startMs = performance.now();
  const tokens = loaded.tokenize(prompt, true);
  const { bos, shouldPrependBosToken } = loaded.tokens;
  if (bos !== null && shouldPrependBosToken && tokens[0] !== bos) tokens.unshift(bos);
  const tokenTimesMs: number[] = [];
  const generation = sequences[slot]!.evaluate(tokens as Token[], {
    ...benchSampling(slot),
    yieldEogToken: true,
    // Any number reaches the strategy unchanged: the slot orders the batch.
    evaluationPriority: slot as 1,
  });
  for await (const _ of generation) {
    tokenTimesMs.push(performance.now());
    if (tokenTimesMs.length >= generateTokens) break;
  }
  active--;
  return {
    startMs,
    tokenTimesMs,
    endMs: performance.now(),
    promptTokens: tokens.length,
    cachedPromptTokens: 0,
    completionTokens: tokenTimesMs.length,
    text: '',
    failure: null,
  };
}

async function answer(message: ToBare): Promise<FromBare> {
  switch (message.type) {
    case 'open':
      await open(message.options);
      return { type: 'done' };
    case 'run':
      return { type: 'traces', traces: await run(message.prompts, message.generateTokens) };
    case 'close':
      await opened?.context.dispose();
      opened = null;
      return { type: 'done' };
  }
}

setPriority(0, workerNiceness);
process.on('message', (message: ToBare) => {
  answer(message).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ type: 'failed', reason: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
