import type { AttemptGuard } from '../../src/core/attempt.ts';
import type { CallContext } from '../../src/core/call.ts';
import type { ChatRequest } from '../../src/core/chat.ts';
import { textOf } from '../../src/core/content.ts';
import type { DecisionRequest, DecisionResult } from '../../src/core/decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../../src/core/embedding.ts';
import { AppError } from '../../src/core/errors.ts';
import type { FinishReason, StreamEvent } from '../../src/core/events.ts';
import type { PlannedSettings } from '../../src/core/plan.ts';
import type { Provider, TokensRequest, TokensResult } from '../../src/core/provider.ts';
import { promptUsage } from '../../src/core/usage.ts';
import type { Engine, LoadWish, LocalModel } from '../../src/engine/engine.ts';
import { mergeChoices } from '../../src/engine/requests/merge-choices.ts';
import { createGateway, type Gateway, type InboundLimits } from '../../src/gateway/gateway.ts';
import { createBus } from '../../src/observe/bus.ts';
import { createLocalProvider } from '../../src/providers/local/local.ts';
import { manualClock } from './manual-clock.ts';
import { anyExpectedBytes, anyPlan } from './plans.ts';

/** What the fake answers to a request: any events, thrown errors included. */
export type Script = (request: ChatRequest, signal: AbortSignal) => AsyncIterable<StreamEvent> | Iterable<StreamEvent>;

/** One call that reached the provider. */
export interface FakeCall {
  request: ChatRequest;
  context: CallContext;
  /** Resolves when the provider has let go of the request, whichever way it ended. */
  released: Promise<void>;
}

/** One call for vectors or scores that reached the provider. */
export interface FakeWholeCall {
  request: EmbeddingRequest | RankRequest | DecisionRequest;
  context: CallContext;
}

/** What the fake answers to a request that has one answer; a thrown error is the answer too. */
export interface WholeScript {
  embed?: (request: EmbeddingRequest) => EmbeddingResult | Promise<EmbeddingResult>;
  rank?: (request: RankRequest) => RankResult | Promise<RankResult>;
  decide?: (request: DecisionRequest) => DecisionResult | Promise<DecisionResult>;
}

export interface FakeGateway extends Gateway {
  /** Those that may be asked now, by id. */
  providers: () => ReadonlyMap<string, Provider>;
  /** Every call for vectors or scores so far, in order. */
  wholeCalls: FakeWholeCall[];
  /** Every request for tokens so far, in order. */
  tokensCalls: TokensRequest[];
  /** Every request for a count of tokens so far, in order. */
  countCalls: ChatRequest[];
  /** Replaces the answers for the calls to come; left out: as they were. */
  playWhole(script: WholeScript): void;
  /** Every call so far, in order. */
  calls: FakeCall[];
  /** Replaces the script for the calls to come. */
  play(script: Script): void;
  /** Lists the models of this engine from now on. */
  listFrom(engine: Engine): void;
  /** Resolves with the call of this number (0: the first), now or when it comes. */
  call(number: number): Promise<FakeCall>;
}

/** The real gateway over one scripted provider for this machine, beside `others`, which keeps the provider's promises: an abort ends it with an error. */
export function createFakeGateway(
  script: Script = () => answerEvents(['Hello', ' world']),
  others: () => readonly Provider[] = () => [],
  guards: readonly AttemptGuard[] = [],
  inbound?: InboundLimits,
): FakeGateway {
  let current = script;
  const calls: FakeCall[] = [];
  const wholeCalls: FakeWholeCall[] = [];
  const tokensCalls: TokensRequest[] = [];
  const countCalls: ChatRequest[] = [];
  let whole: Required<WholeScript> = { embed: embedByLength, rank: rankByLength, decide: decideByOrder };
  const waiting = new Map<number, (call: FakeCall) => void>();
  let listed: Engine | null = null;
  const provider: Provider = {
    id: 'local',
    commitsAt: 'start',
    nameOf: () => null,
    capabilities: () => null,
    status: () => ({ state: 'ready', reason: null }),
    models: async (signal) => (listed ? createLocalProvider({ engine: listed }).models(signal) : []),
    count: async (request) => {
      countCalls.push(request);
      return { model: request.model, promptTokens: 5 };
    },
    tokens: async (request) => {
      tokensCalls.push(request);
      return lettersAsTokens(request);
    },
    stream(request: ChatRequest, context: CallContext) {
      if ((request.choices ?? 1) === 1) return answer(request, context);
      const failed = new AbortController();
      const signal = AbortSignal.any([context.signal, failed.signal]);
      const choices = Array.from({ length: request.choices! }, () => answer(request, { ...context, signal }));
      return mergeChoices(choices, (reason) => failed.abort(reason));
    },
    async embed(request: EmbeddingRequest, context: CallContext) {
      wholeCalls.push({ request, context });
      return whole.embed(request);
    },
    async rank(request: RankRequest, context: CallContext) {
      wholeCalls.push({ request, context });
      return whole.rank(request);
    },
    async decide(request: DecisionRequest, context: CallContext) {
      wholeCalls.push({ request, context });
      return whole.decide(request);
    },
  };
  /** One choice; each counts as a call. */
  async function* answer(request: ChatRequest, context: CallContext): AsyncGenerator<StreamEvent> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const call = { request, context, released };
    calls.push(call);
    waiting.get(calls.length - 1)?.(call);
    try {
      for await (const event of current(request, context.signal)) {
        context.signal.throwIfAborted();
        yield event;
      }
    } finally {
      release();
    }
  }
  const providers = () => new Map([provider, ...others()].map((one) => [one.id, one]));
  return {
    providers,
    ...createGateway({
      providers,
      guards,
      ...(inbound && { inbound }),
      clock: manualClock(),
      bus: createBus((error) => {
        throw error;
      }),
    }),
    wholeCalls,
    tokensCalls,
    countCalls,
    playWhole(script) {
      whole = { ...whole, ...script };
    },
    calls,
    play(next) {
      current = next;
    },
    listFrom(engine) {
      listed = engine;
    },
    call(number) {
      const call = calls[number];
      if (call) return Promise.resolve(call);
      return new Promise((resolve) => waiting.set(number, resolve));
    },
  };
}

/** A token is the number of a letter; a conversation becomes the texts of its messages. */
function lettersAsTokens({ model, input, wantsPieces, addStart }: TokensRequest): TokensResult {
  const text =
    input.type === 'chat'
      ? input.messages.map(({ content }) => textOf(content)).join('|')
      : typeof input.prompt === 'string'
        ? input.prompt
        : String.fromCodePoint(...input.prompt);
  const tokens = [...(addStart ? [1] : []), ...[...text].map((letter) => letter.codePointAt(0)!)];
  const pieces = [...text].map((letter) => ({ text: letter, bytes: [...Buffer.from(letter)] }));
  return { model, text, tokens, ...(wantsPieces && { pieces }) };
}

/** Vectors of length 1 in two dimensions that tell the inputs apart; one token for each letter or token. */
export function embedByLength({ inputs }: EmbeddingRequest): EmbeddingResult {
  return {
    model: 'tiny-embed',
    vectors: inputs.map((input) => [Math.cos(input.length), Math.sin(input.length)].map(Math.fround)),
    promptTokens: inputs.reduce((sum, input) => sum + input.length, 0),
    queueMs: 0,
  };
}

/** The longer a document, the better; one token for each letter. */
export function rankByLength({ query, documents }: RankRequest): RankResult {
  return {
    model: 'tiny-rank',
    scores: documents.map((document) => document.length / 100),
    promptTokens: documents.reduce((sum, document) => sum + query.length + document.length, 0),
    queueMs: 0,
  };
}

/** Each option is half as likely as the one before it; a token for each letter of the input and for each question. */
export function decideByOrder({ state, questions }: DecisionRequest): DecisionResult {
  return {
    model: 'tiny',
    decisions: questions.map((question) => {
      const options =
        question.type === 'yes-no' ? 2 : (question.type === 'choice' ? question.options : question.levels).length;
      const weights = Array.from({ length: options }, (_, index) => 0.5 ** index);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return { type: 'decided', probabilities: weights.map((weight) => weight / sum), labelMass: 0.75 };
    }),
    promptTokens: state.length + questions.length,
    cachedTokens: 2,
    queueMs: 0,
  };
}

/** The events of an answer of one text block: 5 prompt tokens, 2 of them cached, and one token for each piece. */
export function answerEvents(pieces: string[], reason: FinishReason = 'stop'): StreamEvent[] {
  return [startEvent(), ...textEvents(pieces, 0), finishEvent(pieces.length, reason)];
}

export function startEvent(model = 'tiny'): StreamEvent {
  return { type: 'start', responseId: null, model, usage: promptUsage(5, 2), warnings: [] };
}

export function textEvents(pieces: string[], blockId: number): StreamEvent[] {
  return [
    { type: 'text-start', blockId },
    ...pieces.map((text): StreamEvent => ({ type: 'text-delta', blockId, text })),
    { type: 'text-end', blockId },
  ];
}

/** The events of one tool call; `pieces` are parts of its arguments' text. */
export function toolCallEvents(blockId: number, id: string, name: string, pieces: string[]): StreamEvent[] {
  return [
    { type: 'tool-call-start', blockId, id, name },
    ...pieces.map((argumentsText): StreamEvent => ({ type: 'tool-call-delta', blockId, argumentsText })),
    { type: 'tool-call-end', blockId },
  ];
}

export function finishEvent(outputTokens: number, reason: FinishReason = 'stop'): StreamEvent {
  return {
    type: 'finish',
    reason,
    rawReason: null,
    stopSequence: null,
    usage: { ...promptUsage(5, 2), outputTokens, reasoningTokens: 0 },
    timings: { queueMs: 0, prefillMs: 1, decodeMs: 2 },
  };
}

/** Never resolves; rejects with the signal's reason when it aborts. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A model named `tiny` with the alias `default`, not loaded. */
export function modelInfo(changes: Partial<LocalModel> = {}): LocalModel {
  return {
    name: 'tiny',
    aliases: ['default', 'tiny-q8_0'],
    format: 'gguf',
    purpose: 'generate',
    state: 'unloaded',
    reason: null,
    architecture: 'llama',
    thinks: false,
    embeddingLength: 256,
    advice: null,
    parameterCount: 3_000_000,
    trainedContextTokens: 2048,
    quantization: 'q8_0',
    sizeBytes: 3_460_300,
    variants: [
      {
        quantization: 'q8_0',
        sizeBytes: 3_460_300,
        files: ['tiny-q8_0.gguf'],
        bitsPerWeight: 8.5,
        invalidReason: null,
        expectedBytes: 128 * 1024 ** 2,
        fits: true,
      },
    ],
    modifiedAt: new Date('2026-01-02T03:04:05.678Z'),
    loaded: null,
    ...changes,
  };
}

export interface FakeEngine extends Engine {
  models: LocalModel[];
  loads: { name: string; wish: LoadWish }[];
  plans: { name: string; wish: LoadWish }[];
  /** Thrown by `listModels` while set. */
  failure: Error | null;
}

/** An engine that owns a list and loads by saying so. */
export function createFakeEngine(models: LocalModel[] = [modelInfo()]): FakeEngine {
  const lookUp = (name: string) => engine.models.find((model) => model.name === name || model.aliases.includes(name));
  const find = (name: string): LocalModel => {
    const found = lookUp(name);
    if (!found) throw new AppError('model_not_found', `There is no model "${name}".`, { field: 'model' });
    return found;
  };
  const engine: FakeEngine = {
    models,
    loads: [],
    plans: [],
    failure: null,
    leftOut: () => ['A link leads out of the model folder.'],
    async listModels() {
      if (engine.failure) throw engine.failure;
      return engine.models;
    },
    residents: () => engine.models.filter(({ state }) => ['loading', 'loaded', 'unloading'].includes(state)),
    getModel: async (name) => find(name),
    loaded: () => [],
    async restore() {},
    async load(name, wish) {
      const model = find(name);
      engine.loads.push({ name, wish });
      model.state = 'loaded';
      model.loaded = {
        plan: somePlan(wish),
        pinned: wish.pin ?? false,
        contextTokens: wish.contextTokens ?? 2048,
        slots: wish.parallel ?? 4,
        residentBytes: 64 * 1024 ** 2,
        threads: 2,
        kernels: {
          name: 'haswell',
          isBuiltHere: false,
          gainOfBuilt: { prompt: 1.118, decode: 1, isMeasuredHere: false },
        },
        tokensPerSecond: null,
        calibration: {
          decodeThreads: 1,
          prefillThreads: 2,
          decodeTokensPerSecond: 71.5,
          prefillTokensPerSecond: 330,
          costOfTokens: [1, 1.5],
          measuredAt: new Date('2026-02-01T02:03:04.567Z'),
        },
        gpu: 'off',
        gpuDevice: null,
        gpuLayers: 0,
        gpuBytes: 0,
        gpuReason: null,
        notes: [],
        loadedAt: new Date('2026-02-03T04:05:06.789Z'),
        loadMs: 12.4,
        expiresAt: new Date('2026-02-03T04:10:06.789Z'),
        endsNext: true,
        activeRequests: 0,
        queuedRequests: 0,
      };
      return model;
    },
    async plan(name, wish) {
      const { name: model, quantization } = find(name);
      engine.plans.push({ name, wish });
      const budget = { totalBytes: 8e9, availableBytes: 5e9, reclaimableBytes: 1e9, source: 'host' };
      if ((wish.contextTokens ?? 0) <= 100_000) {
        return { model, quantization, settings: somePlan(wish), shortage: null, budget };
      }
      const shortage = {
        neededBytes: 9e9,
        availableBytes: 6e9,
        shortfallBytes: 3e9,
        nearest: null,
        message: 'needs more',
      };
      return { model, quantization, settings: null, shortage, budget };
    },
    async unload(name) {
      const model = find(name);
      model.state = 'unloaded';
      model.loaded = null;
      return model;
    },
    stream() {
      throw new Error('the HTTP layer asks the gateway for answers, never the engine');
    },
    embed() {
      throw new Error('the HTTP layer asks the gateway for vectors, never the engine');
    },
    rank() {
      throw new Error('the HTTP layer asks the gateway for scores, never the engine');
    },
    tokens() {
      throw new Error('the HTTP layer asks the gateway for tokens, never the engine');
    },
    decide() {
      throw new Error('the HTTP layer asks the gateway for decisions, never the engine');
    },
    count() {
      throw new Error('the HTTP layer asks the gateway for counts, never the engine');
    },
    nameOf: (name) => lookUp(name)?.name ?? null,
    purposeOf: (name) => lookUp(name)?.purpose ?? null,
    status: () => ({ state: 'ready', reason: null }),
    gpu: () => ({ devices: [], problems: [] }),
    memory: () => ({
      budgetBytes: 8 * 1024 ** 3,
      availableBytes: 5 * 1024 ** 3,
      reserveBytes: 256 * 1024 ** 2,
      source: 'host',
      usedBytes: Math.round(2.1 * 1024 ** 3),
    }),
    drain: async () => {},
    close: async () => {},
  };
  return engine;
}

function somePlan(wish: LoadWish): PlannedSettings {
  return anyPlan({
    contextTokens: wish.contextTokens ?? 2048,
    slots: wish.parallel ?? 4,
    expectedBytes: anyExpectedBytes(128 * 1024 ** 2),
    notes: ['slots reduced from 8 to 4 to fit the memory'],
  });
}
