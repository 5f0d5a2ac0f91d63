/**
 * Entry of a worker process: one model, driven over IPC by `engine/residents`. It never writes to stdout; stderr is
 * kept by the parent for its log. When the parent is gone it exits. Its one argument is the size of its libuv pool.
 */
import { setTimeout } from 'node:timers/promises';
import { AppError, toAppError } from '../core/errors.ts';
import { canParkThreads, gateDescriptor } from '../ipc/gate.ts';
import type {
  FromWorker,
  StepReport,
  ToWorker,
  WorkerItem,
  WorkerOptions,
  WorkerReady,
  WorkerRequest,
} from '../ipc/protocol.ts';
import { createAnswerCheck } from './answer/answer.ts';
import {
  type BatchLoop,
  createBatchLoop,
  createMeasureStep,
  createPrefillPacer,
  createStepThreads,
  createThreadPool,
  type MeasureStep,
  parkAt,
  type StepThreads,
  steadyPortionTokens,
} from './batch/batch.ts';
import { type CheckedAnswers, createCheckedAnswers } from './checked-answers.ts';
import { createDecisions, type Decisions } from './decision/decision.ts';
import { createDraftController, createDraftFactory, type DraftController, type DraftFactory } from './draft/draft.ts';
import { createEmbedder, type Embedder } from './embedder/embedder.ts';
import {
  createEmbeddingRuntime,
  createRuntime,
  type EmbeddingRuntime,
  loadedKernels,
  probeBackend,
  type Runtime,
} from './llama/llama.ts';
import { createOutbox } from './outbox.ts';
import { openPrefixStore } from './prefix/prefix.ts';
import {
  type ChatTemplate,
  countPrompt,
  createChatTemplate,
  createTemplateChoice,
  prepareTask,
  readTokens,
  type TemplateChoice,
} from './prompt/prompt.ts';

interface Loaded {
  pinnedPrompts: readonly string[];
  nowMs: () => number;
  runtime: Runtime;
  template: ChatTemplate;
  templateFor: TemplateChoice;
  loop: BatchLoop;
  checkedAnswers: CheckedAnswers;
  decisions: Decisions;
  threads: StepThreads;
  /** Null: the library cannot run a step for its time alone. */
  measureStep: MeasureStep | null;
  /** Null where guesses are switched off, or the model allows none. */
  drafts: DraftFactory | null;
  draftController: DraftController;
}

/** The other kind of worker: vectors or scores instead of text. A process is one or the other, by its model. */
interface LoadedEmbedder {
  runtime: EmbeddingRuntime;
  embedder: Embedder;
}

/** Within it, lines of the library are on stderr. */
const logDelayMs = 50;

let loaded: Loaded | null = null;
let loadedEmbedder: LoadedEmbedder | null = null;

function send(message: FromWorker): void {
  // The callback keeps a vanished parent from becoming an uncaught error; `disconnect` ends the process.
  process.send?.(message, undefined, undefined, () => {});
}

const outbox = createOutbox(send);
const pool = createThreadPool({
  size: Number(process.argv[2] ?? 1),
  park: canParkThreads ? () => parkAt(gateDescriptor) : null,
  release: (threads) => send({ type: 'release', threads }),
});

async function load(options: WorkerOptions): Promise<void> {
  void pool.use(options.libuvThreads);
  const { purpose } = options;
  if (purpose !== 'generate') return loadEmbedder(options, purpose);
  const runtime = await createRuntime(options, pool.inOrder);
  send({ type: 'probing' });
  const templateOf = (source: string | null) =>
    createChatTemplate({
      source,
      architecture: runtime.architecture,
      tokenizerModel: runtime.tokenizerModel,
      controlTexts: runtime.vocabulary.controlTexts,
      userDefinedTexts: runtime.vocabulary.userDefinedTexts,
      bosText: runtime.bosText,
      eosText: runtime.eosText,
    });
  const template = templateOf(runtime.templateSource);
  const nowMs = () => performance.now();
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const prefixes =
    options.vault &&
    (await openPrefixStore({ ...options.vault, modelPath: options.modelPath }, runtime.stateFormat, log));
  const threads = createStepThreads({ threads: options.threads, apply: runtime.setThreads });
  const draftController = createDraftController();
  const checkedAnswers = createCheckedAnswers({
    loop: () => loop,
    publish: (items: WorkerItem[], report: StepReport | null) => outbox.post({ items, report }),
  });
  const steadyTokens = steadyPortionTokens(runtime.modelBytes, runtime.batchTokens);
  const decisions = createDecisions({ runtime, template, portionTokens: steadyTokens, loop: () => loop, answer: send });
  const loop: BatchLoop = createBatchLoop({
    threads,
    prefixes,
    sequences: runtime.sequences,
    contextTokens: runtime.contextTokens,
    batchTokens: runtime.batchTokens,
    steadyTokens,
    pacer: createPrefillPacer(runtime.batchTokens),
    drafts: draftController,
    nowMs,
    publish: (items, report) => checkedAnswers.publish(decisions.take(items), report),
    log,
  });
  const { evaluate, stateFormat } = runtime;
  const measureStep =
    evaluate &&
    createMeasureStep({
      evaluate,
      threads,
      pool,
      contextTokens: runtime.contextTokens,
      vocabularySize: runtime.vocabulary.size,
      cuttable: stateFormat.cuttable && stateFormat.slidingWindow === null,
      nowMs,
    });
  const guesses = runtime.sequences.some((sequence) => sequence.draft !== null);
  loaded = {
    runtime,
    template,
    templateFor: createTemplateChoice(template, templateOf),
    loop,
    checkedAnswers,
    decisions,
    threads,
    measureStep,
    pinnedPrompts: options.vault?.pinnedPrompts ?? [],
    drafts: guesses ? createDraftFactory(runtime) : null,
    draftController,
    nowMs,
  };
  send({
    type: 'ready',
    ready: {
      contextTokens: runtime.contextTokens,
      slots: runtime.sequences.length,
      threads: options.threads,
      warnings: template.warning === null ? [] : [template.warning],
      ...kernelsField(),
    },
  });
}

/** What the library took for the processor, as far as it can be told. */
function kernelsField(): Pick<WorkerReady, 'kernels'> {
  const kernels = loadedKernels();
  return kernels === null ? {} : { kernels };
}

async function loadEmbedder(options: WorkerOptions, purpose: 'embed' | 'rank'): Promise<void> {
  const runtime = await createEmbeddingRuntime(options);
  const embedder = createEmbedder({
    name: options.model,
    model: runtime.model,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  await embedder.probe(purpose);
  loadedEmbedder = { runtime, embedder };
  send({
    type: 'ready',
    ready: {
      contextTokens: options.contextTokens,
      slots: options.slots,
      threads: options.threads,
      warnings: [],
      ...kernelsField(),
    },
  });
}

function generate(message: Extract<ToWorker, { type: 'generate' }>): void {
  try {
    if (!loaded) throw new AppError('internal_error', 'The worker has no model.');
    startAnswer(message, loaded);
  } catch (error) {
    const failure = toAppError(error);
    if (failure.code === 'internal_error') process.stderr.write(`request: ${String(failure.cause ?? failure)}\n`);
    send({ type: 'step', items: [{ id: message.id, error: failure.toWire() }], report: null });
  }
}

function startAnswer({ id, request }: Extract<ToWorker, { type: 'generate' }>, loadedModel: Loaded): void {
  const ready = { ...loadedModel, template: loadedModel.templateFor(request.input) };
  const { task, checked } = prepareTask(id, request, ready);
  if (checked === null) {
    ready.loop.add(task);
    return;
  }
  ready.checkedAnswers.add({
    task,
    check: createAnswerCheck(checked),
    holds: checked.format === null ? 'calls' : 'all',
    again({ repeated }, tries) {
      const other = repeated === null ? otherwise(request) : request;
      // Each list is cut where one of them began to repeat; if another did so earlier, where none can.
      const mostUnique = repeated !== null && tries > 1 ? 1 : repeated;
      return {
        task: prepareTask(id, other, ready, mostUnique).task,
        check: createAnswerCheck(checked),
      };
    },
  });
}

/** The request with another run of the dice: the same ones would give the same answer. */
function otherwise(request: WorkerRequest): WorkerRequest {
  const { temperature = 0.8, seed = 0 } = request.sampling;
  return {
    ...request,
    sampling: { ...request.sampling, temperature: Math.max(0.8, temperature), seed: seed + 1 },
  };
}

function decide({ id, request }: Extract<ToWorker, { type: 'decide' }>): void {
  if (loaded) loaded.decisions.decide(id, request);
  else send({ type: 'refused', id, error: new AppError('internal_error', 'The worker has no model.').toWire() });
}

function count({ id, request }: Extract<ToWorker, { type: 'count' }>): void {
  try {
    if (!loaded) throw new AppError('internal_error', 'The worker has no model.');
    send({
      type: 'counted',
      id,
      promptTokens: countPrompt(request, { ...loaded, template: loaded.templateFor(request.input) }),
    });
  } catch (error) {
    send({ type: 'refused', id, error: toAppError(error).toWire() });
  }
}

function tokens({ id, request }: Extract<ToWorker, { type: 'tokens' }>): void {
  try {
    if (!loaded) throw new AppError('internal_error', 'The worker has no model.');
    send({ type: 'tokens', id, ...readTokens(request, loaded) });
  } catch (error) {
    send({ type: 'refused', id, error: toAppError(error).toWire() });
  }
}

async function embedOrRank(message: Extract<ToWorker, { type: 'embed' | 'rank' }>): Promise<void> {
  if (!loadedEmbedder) {
    const error = new AppError('internal_error', 'The worker has no model for this.').toWire();
    return send({ type: 'refused', id: message.id, error });
  }
  const { embedder } = loadedEmbedder;
  send(
    await (message.type === 'embed'
      ? embedder.embed(message.id, message.request)
      : embedder.rank(message.id, message.request)),
  );
}

async function measure({ id, setting }: Extract<ToWorker, { type: 'measure' }>): Promise<void> {
  try {
    const { loop, measureStep } = loaded ?? {};
    const milliseconds = loop && measureStep ? await loop.whenIdle((slots) => measureStep(slots, setting)) : null;
    send({ type: 'measured', id, milliseconds });
  } catch (error) {
    process.stderr.write(`measurement: ${String(error)}\n`);
    send({ type: 'refused', id, error: toAppError(error).toWire() });
  }
}

async function shutdown(): Promise<void> {
  const reason = new AppError('shutting_down', 'The model is being unloaded.', { retryAfterSeconds: 1 });
  await loaded?.loop.stop(reason);
  outbox.flush();
  await loaded?.runtime.dispose();
  await loadedEmbedder?.embedder.stop(reason);
  await loadedEmbedder?.runtime.dispose();
  process.exit(0);
}

process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'load':
      load(message.options).catch(async (error: unknown) => {
        const cause = error instanceof AppError ? (error.cause ?? error) : error;
        process.stderr.write(`load: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`);
        // The library hands its log lines over late, and this process ends as soon as it has told.
        await setTimeout(logDelayMs);
        send({ type: 'load-failed', error: toAppError(error).toWire() });
      });
      break;
    case 'probe':
      probeBackend(message.backend).then(
        (report) => send({ type: 'probed', report }),
        (error: unknown) => send({ type: 'load-failed', error: toAppError(error).toWire() }),
      );
      break;
    case 'generate':
      generate(message);
      break;
    case 'embed':
    case 'rank':
      void embedOrRank(message);
      break;
    case 'decide':
      decide(message);
      break;
    case 'count':
      count(message);
      break;
    case 'tokens':
      tokens(message);
      break;
    case 'measure':
      void measure(message);
      break;
    case 'cancel':
      loaded?.checkedAnswers.cancel(message.id);
      loadedEmbedder?.embedder.cancel(message.id);
      break;
    case 'threads':
      loaded?.threads.grant({ decode: message.threads, prefill: message.prefillThreads ?? message.threads });
      loadedEmbedder?.runtime.setThreads(message.threads);
      break;
    case 'calibrated':
      loaded?.draftController.expect(message.costOfTokens);
      void pool.use(message.libuvThreads);
      break;
    case 'ping':
      send({ type: 'pong', sequence: message.sequence });
      break;
    case 'shutdown':
      shutdown().catch((error: unknown) => {
        process.stderr.write(`shutdown: ${String(error)}\n`);
        process.exit(1);
      });
      break;
  }
});
// The server is gone, however it went: nobody will ever read an answer again.
process.on('disconnect', () => process.exit(0));
process.on('exit', () => pool.close());
// A terminal's Ctrl-C goes to the whole group; the server decides when its workers end.
process.on('SIGINT', () => {});
