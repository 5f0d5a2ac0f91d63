import type { TokenLogprob } from '../../src/core/events.ts';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import type { FlatAnswer } from './flat-answer.ts';
import { type RealWorker, startRealWorker } from './real-worker.ts';

/** Below this distance of the two best candidates, in nats, another batch shape may choose the other one. */
const closeCallNats = 0.1;

/** What a request is answered with when nothing is reused, guessed or shared. */
export interface ColdAnswer {
  answer: FlatAnswer;
  /** The beginning of its raw text that rounding cannot change: up to the first close call. */
  firmText: string;
  /** Whether that is all of it. */
  isFirm: boolean;
}

/** Asks one request after the other on a worker with one slot whose state is wiped in between. */
export async function coldAnswers(): Promise<{
  ask(request: WorkerRequest): Promise<ColdAnswer>;
  stop(): Promise<void>;
}> {
  const worker = await startRealWorker({ slots: 1, vaultFolder: null, drafts: false });
  return {
    ask: (request) => coldAnswer(worker, request),
    stop: () => worker.stop(),
  };
}

async function coldAnswer(worker: RealWorker, request: WorkerRequest): Promise<ColdAnswer> {
  const cold = async (asked: WorkerRequest): Promise<FlatAnswer> => {
    // Begins like no conversation, so that nothing of the slot's state is left for the next one.
    await worker.ask({ ...asked, input: { type: 'text', prompt: '~' }, format: { type: 'text' }, maxTokens: 1 });
    const answer = await worker.ask(asked);
    if (answer?.usage.cacheReadTokens !== 0) throw new Error('the reference was not cold');
    return answer;
  };
  // Log probabilities make grammars impossible: this is the model alone.
  const plain: WorkerRequest = { ...request, format: { type: 'text' }, topLogprobs: 2 };
  const free = await cold(plain);
  // The end token is not among the answer's tokens, but it may be a close call too: asked again, one token further.
  const endsByToken = free.reason !== 'length' && free.stopSequence === null;
  const further = { sampling: { ...request.sampling, ignoreEnd: true }, maxTokens: free.usage.outputTokens! + 1 };
  const { logprobs } = endsByToken ? await cold({ ...plain, ...further }) : free;
  const firstClose = logprobs.findIndex((token) => leadOf(token) < closeCallNats);
  const firmText = Buffer.from(
    free.logprobs.slice(0, firstClose === -1 ? undefined : firstClose).flatMap(({ bytes }) => bytes),
  ).toString();
  if (request.format.type === 'text') return { answer: free, firmText, isFirm: firstClose === -1 };
  // A grammar takes candidates away and never the best one, as long as both texts agree: leads only grow.
  const bound = await cold(request);
  const agrees = bound.text === free.text && bound.reason === free.reason;
  return { answer: bound, firmText: agrees ? firmText : '', isFirm: agrees && firstClose === -1 };
}

/** By how many nats a token was ahead of the next best. */
function leadOf({ top }: TokenLogprob): number {
  const [best, next] = top;
  return best && next ? best.logprob - next.logprob : Number.POSITIVE_INFINITY;
}
