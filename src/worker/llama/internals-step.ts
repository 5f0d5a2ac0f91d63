/**
 * The step of answers that guess nothing, straight on the library's native context: the second and last file that names
 * private members, by the rules of `internals.ts`. The library's own way from one decode call to the next leads through
 * generators, locks, a turn of the event loop and a sampler's settings told anew; that took longer than choosing the token.
 */
import type { LlamaContext, LlamaContextSequence, SequenceEvaluateOptions, Token } from 'node-llama-cpp';
import type { SamplingWatch } from './internals.ts';

/** One sequence's part in a step. */
interface StepPart {
  llamaSequence: LlamaContextSequence;
  /** Orders the parts in the library's queue. */
  slot: number;
  /** To be evaluated at the end of the sequence; they have to fit. */
  tokens: readonly Token[];
  sampler: StepSampler;
  watch: SamplingWatch;
}

/** Chooses the tokens of one answer. */
export interface StepSampler {
  /** Takes over what has changed since the last token. */
  prepare(): void;
  /** To be called once, while nothing is being chosen. */
  dispose(): void;
  readonly native: object;
  /** Whether a token that it chose in vain leaves a mark beyond it: on the state of a grammar. */
  readonly marks: boolean;
}

/**
 * Runs `work`, whose native calls run one after the other, in the order in which they are made; null, and nothing was called,
 * where that cannot be had. Resolves to null when the order may have been lost.
 */
export type InOrder = <T>(work: () => Promise<T>) => Promise<T | null> | null;

export interface StepDriver {
  /** `options` as the library's own evaluations take them; its functions are asked before each token. */
  newSampler(llamaSequence: LlamaContextSequence, options: SequenceEvaluateOptions): StepSampler;
  /** Whether the state ends in guesses of the library that nobody took: only its own evaluations drop them. */
  holdsGuesses(llamaSequence: LlamaContextSequence): boolean;
  /**
   * Evaluates tokens and chooses the next one; rejects when there is none. What is asked for in one tick is one decode call,
   * in the order of asking, which has to be that of the slots.
   */
  choose(part: StepPart): Promise<Token>;
  /** To be called in the tick in which an evaluation of the library begins: it shares the decode call with the others. */
  joinLibrary(): void;
}

/** What the library takes for "no token could be chosen". */
const noToken = -1;

interface NativeContext {
  initBatch(tokens: number): void;
  /** Returns the index in the batch of each wanted row. */
  addToBatch(sequenceId: number, firstIndex: number, tokens: Uint32Array, wantedRows: Uint32Array): ArrayLike<number>;
  setThreads(threads: number): void;
  decodeBatch(): Promise<void>;
  sampleToken(batchLogitIndex: number, sampler: object): Promise<number>;
}

interface NativeSampler {
  applyConfig(config: object): void;
  dispose(): void;
}

type SamplerConfig = Record<string, unknown>;

/** The members of a sequence that a step reads and moves on. */
interface SequenceState {
  _sequenceId: number;
  _nextTokenIndex: number;
  _contextTokens: Token[];
  _loadedTokenPredictions: readonly unknown[];
  _resolveSamplerConfig(options: SequenceEvaluateOptions): SamplerConfig;
}

/** Queues a part beside evaluations of the library; resolves to its rows and what was mapped of them. */
type QueueTokens = (
  part: object,
  mapLogits: (batchLogitIndex: number) => Promise<number>,
) => Promise<[tokenIndex: number, token: number][]>;

const stateOf = (llamaSequence: LlamaContextSequence) => llamaSequence as unknown as SequenceState;

/**
 * Null where the library lacks a part of what a step needs. `sequences`: all of the context. `inOrder`: where it can be had,
 * tokens are chosen right behind the decode call on the same thread, and this one need not wake up in between.
 */
export function findStepDriver(deps: {
  context: LlamaContext;
  sequences: readonly LlamaContextSequence[];
  inOrder: InOrder;
}): StepDriver | null {
  const { context, sequences } = deps;
  const native = nativeContextOf(context);
  const newNative = nativeSamplerOf(context);
  const queue = functionOf(context, '_decodeTokens') as QueueTokens | null;
  if (native === null || newNative === null || queue === null || !sequences.every(hasState)) return null;
  const { llama } = context.model;
  const run = createRun({ native, threads: () => llama.maxThreads, inOrder: deps.inOrder });
  const runBeside = createRunBeside(native, (part, mapLogits) => queue.call(context, part, mapLogits));
  let waiting: { part: StepPart; resolve: (token: Promise<number>) => void }[] = [];
  let isScheduled = false;
  let hasLibrary = false;

  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(dispatch);
  };
  /** Everything that was asked for in this tick, at once. */
  const dispatch = () => {
    const asked = waiting;
    const parts = asked.map(({ part }) => part);
    const isMixed = hasLibrary || countTokens(parts) > context.batchSize;
    waiting = [];
    isScheduled = false;
    hasLibrary = false;
    if (isMixed) {
      for (const { part, resolve } of asked) resolve(runBeside(part));
    } else if (parts.length > 0) {
      const tokens = run(parts);
      for (const [index, { resolve }] of asked.entries()) resolve(tokens.then((all) => all[index]!));
    }
  };

  return {
    newSampler: (llamaSequence, options) => newSampler(newNative(), options, () => stateOf(llamaSequence)),
    holdsGuesses: (llamaSequence) => stateOf(llamaSequence)._loadedTokenPredictions.length > 0,
    async choose(part) {
      // Beyond it the library would drop the oldest tokens without a word.
      const isFull = stateOf(part.llamaSequence)._nextTokenIndex + part.tokens.length >= context.contextSize;
      if (isFull) throw new Error('the context is full');
      part.sampler.prepare();
      schedule();
      const token = await new Promise<number>((resolve) => {
        waiting.push({ part, resolve });
      });
      if (token === noToken) throw new Error('no token could be chosen');
      return token as Token;
    },
    joinLibrary() {
      hasLibrary = true;
      schedule();
    },
  };
}

/** Runs parts as one decode call of their own, and returns the token of each. */
function createRun(deps: {
  native: NativeContext;
  threads: () => number;
  inOrder: InOrder;
}): (parts: readonly StepPart[]) => Promise<number[]> {
  const { native } = deps;
  const chooseAll = (parts: readonly StepPart[], rows: readonly number[]) =>
    Promise.all(parts.map((part, index) => choose(native, part, rows[index]!)));

  const decodeAndChoose = async (parts: readonly StepPart[], rows: readonly number[]): Promise<number[]> => {
    const [decoded, chosen] = await Promise.allSettled([native.decodeBatch(), chooseAll(parts, rows)]);
    if (decoded.status === 'rejected') {
      forgetFaults(parts);
      throw decoded.reason;
    }
    parts.forEach(moveOn);
    if (chosen.status === 'rejected') throw chosen.reason;
    return chosen.value;
  };

  return async (parts) => {
    native.initBatch(countTokens(parts));
    const rows = parts.map(({ llamaSequence, tokens }) => {
      const { _sequenceId: id, _nextTokenIndex: first } = stateOf(llamaSequence);
      return native.addToBatch(id, first, Uint32Array.from(tokens), Uint32Array.of(tokens.length - 1))[0]!;
    });
    native.setThreads(deps.threads());
    const isFree = !parts.some(({ sampler }) => sampler.marks);
    const early = isFree ? deps.inOrder(() => decodeAndChoose(parts, rows)) : null;
    if (early === null) {
      await native.decodeBatch();
      parts.forEach(moveOn);
      return chooseAll(parts, rows);
    }
    const tokens = await early;
    if (tokens !== null) return tokens;
    forgetFaults(parts);
    return chooseAll(parts, rows);
  };
}

/** Runs a part within the library's queue, whose next batch takes all that is there. */
function createRunBeside(native: NativeContext, queue: QueueTokens): (part: StepPart) => Promise<number> {
  return async (part) => {
    const { _sequenceId: sequenceId, _nextTokenIndex: firstTokenSequenceIndex } = stateOf(part.llamaSequence);
    const { slot: evaluationPriority } = part;
    const { tokenMeter } = part.llamaSequence;
    const tokens = [...part.tokens];
    const logits = tokens.map((_, index) => index === tokens.length - 1);
    const rows = await queue(
      { sequenceId, tokens, logits, firstTokenSequenceIndex, evaluationPriority, tokenMeter },
      (batchLogitIndex) => choose(native, part, batchLogitIndex),
    );
    moveOn(part);
    return rows[0]?.[1] ?? noToken;
  };
}

function choose(native: NativeContext, { watch, sampler }: StepPart, batchLogitIndex: number): Promise<number> {
  watch.expect(batchLogitIndex);
  return native.sampleToken(batchLogitIndex, sampler.native);
}

/** What was chosen before the scores were there says nothing. */
function forgetFaults(parts: readonly StepPart[]): void {
  for (const { watch } of parts) watch.takeFault();
}

/** What the library notes of tokens that were evaluated. */
function moveOn({ llamaSequence, tokens }: StepPart): void {
  const state = stateOf(llamaSequence);
  state._nextTokenIndex += tokens.length;
  for (const token of tokens) state._contextTokens.push(token);
}

const countTokens = (parts: readonly StepPart[]) => parts.reduce((sum, { tokens }) => sum + tokens.length, 0);

function newSampler(native: NativeSampler, options: SequenceEvaluateOptions, state: () => SequenceState): StepSampler {
  const changes = options.grammarEvaluationState !== undefined || options.repeatPenalty !== undefined;
  let isSet = false;
  return {
    native,
    marks: options.grammarEvaluationState !== undefined,
    prepare() {
      if (isSet && !changes) return;
      const config = state()._resolveSamplerConfig(options);
      // The sampler would begin anew with them.
      if (isSet && config['dryRepeatPenaltyStrength'] !== undefined) config['dryRepeatPenaltySequenceBreakers'] = false;
      native.applyConfig(config);
      isSet = true;
    },
    dispose: () => native.dispose(),
  };
}

function nativeContextOf(context: LlamaContext): NativeContext | null {
  const native: unknown = Reflect.get(context, '_ctx');
  const methods = ['initBatch', 'addToBatch', 'setThreads', 'decodeBatch', 'sampleToken'];
  return methods.every((method) => functionOf(native, method) !== null) ? (native as NativeContext) : null;
}

function nativeSamplerOf({ model }: LlamaContext): (() => NativeSampler) | null {
  const Sampler = functionOf(Reflect.get(model.llama, '_bindings'), 'AddonSampler');
  return Sampler && (() => Reflect.construct(Sampler, [Reflect.get(model, '_model')]) as NativeSampler);
}

function hasState(llamaSequence: LlamaContextSequence): boolean {
  const state: Partial<SequenceState> = stateOf(llamaSequence);
  const { _sequenceId: id, _nextTokenIndex: next, _contextTokens: tokens, _loadedTokenPredictions: guesses } = state;
  const numbers = typeof id === 'number' && typeof next === 'number';
  return (
    numbers && Array.isArray(tokens) && Array.isArray(guesses) && functionOf(state, '_resolveSamplerConfig') !== null
  );
}

function functionOf(owner: unknown, name: string): ((...args: never[]) => unknown) | null {
  if (typeof owner !== 'object' || owner === null) return null;
  const member: unknown = Reflect.get(owner, name);
  return typeof member === 'function' ? (member as (...args: never[]) => unknown) : null;
}
