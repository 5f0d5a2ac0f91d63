/**
 * Answers of the real engine with a fixed number of guesses a step, whatever they bring. Run as a process:
 * `node guessing-loop.ts MODEL SLOTS GUESSES` reads groups of requests from stdin as `GuessingInput`, runs those of a
 * group at the same time and the groups one after the other, and writes a `GuessingOutput` to stdout.
 */
import { text as readText } from 'node:stream/consumers';
import { AppError } from '../../src/core/errors.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { promptTokensOf } from '../../src/core/usage.ts';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import { createBatchLoop } from '../../src/worker/batch/loop.ts';
import { createDraftFactory } from '../../src/worker/draft/draft.ts';
import { createRuntime } from '../../src/worker/llama/runtime.ts';
import { prepareTask } from '../../src/worker/prompt/requests.ts';
import { createChatTemplate } from '../../src/worker/prompt/template.ts';
import type { FlatAnswer } from './flat-answer.ts';
import { foldFlat } from './flat-answer.ts';

export type GuessingInput = WorkerRequest[][];

export interface GuessingOutput {
  groups: {
    /** Text, tool calls, reason and token counts of each answer, as JSON. */
    answers: string[];
    proposed: number;
    accepted: number;
    steps: number;
  }[];
}

const [modelPath, slots, guesses] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const runtime = await createRuntime(
  {
    purpose: 'generate',
    model: 'm',
    modelPath,
    contextTokens: 1024,
    slots,
    batchTokens: 512,
    useMmap: true,
    kvType: 'f16',
    vault: null,
    flashAttention: true,
    // A second thread would wait for cores that other tests hold.
    maxThreads: 1,
    threads: 1,
    libuvThreads: 1,
    drafts: true,
    gpu: null,
  },
  // Nothing parks the threads of this process.
  () => null,
);
const template = createChatTemplate({
  source: runtime.templateSource,
  architecture: runtime.architecture,
  tokenizerModel: runtime.tokenizerModel,
  controlTexts: runtime.vocabulary.controlTexts,
  userDefinedTexts: runtime.vocabulary.userDefinedTexts,
  bosText: runtime.bosText,
  eosText: runtime.eosText,
});
const drafts = createDraftFactory(runtime);
const running = new Map<number, { events: StreamEvent[]; end: (failure: Error | null) => void }>();
const counts = { proposed: 0, accepted: 0, steps: 0 };
const loop = createBatchLoop({
  steadyTokens: 64,
  sequences: runtime.sequences,
  contextTokens: runtime.contextTokens,
  batchTokens: runtime.batchTokens,
  pacer: { chunkTokens: () => 65, observe: () => {} },
  drafts: { limit: () => guesses, observe: () => {} },
  threads: { use: () => {} },
  prefixes: null,
  nowMs: () => 0,
  log: (line) => process.stderr.write(`${line}\n`),
  publish(items, report) {
    counts.proposed += report?.drafts.proposed ?? 0;
    counts.accepted += report?.drafts.accepted ?? 0;
    counts.steps += report ? 1 : 0;
    for (const item of items) {
      const task = running.get(item.id)!;
      if ('error' in item) task.end(new Error(`${item.error.code}: ${item.error.message}`));
      else {
        task.events.push(item.event);
        if (item.event.type === 'finish') task.end(null);
      }
    }
  },
});

let nextId = 1;
async function answer(request: WorkerRequest): Promise<string> {
  const id = nextId++;
  const events: StreamEvent[] = [];
  const ended = Promise.withResolvers<void>();
  running.set(id, { events, end: (failure) => (failure ? ended.reject(failure) : ended.resolve()) });
  loop.add(prepareTask(id, request, { runtime, template, drafts, pinnedPrompts: [], nowMs: () => 0 }).task);
  await ended.promise;
  return whatMatters(await foldFlat(replay(events)));
}

async function* replay(events: readonly StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events;
}

function whatMatters({ text, toolCalls, reason, usage }: FlatAnswer): string {
  const calls = toolCalls.map(({ name, arguments: given }) => ({ name, given }));
  return JSON.stringify({ text, calls, reason, tokens: [promptTokensOf(usage), usage.outputTokens] });
}

const output: GuessingOutput = { groups: [] };
for (const group of JSON.parse(await readText(process.stdin)) as GuessingInput) {
  Object.assign(counts, { proposed: 0, accepted: 0, steps: 0 });
  const answers = await Promise.all(group.map(answer));
  output.groups.push({ answers, ...counts });
}
await loop.stop(new AppError('shutting_down', 'done'));
await runtime.dispose();
process.stdout.write(JSON.stringify(output), () => process.exit(0));
