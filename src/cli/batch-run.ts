import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { AppError } from '../core/errors.ts';
import { toPrintable } from '../core/printable.ts';
import { replaceFile } from '../files/files.ts';
import { failureOf, resultLine } from './batch-api.ts';
import {
  customIdOf,
  decideTask,
  type FolderTask,
  hasResult,
  promptTask,
  resultPath,
  type Source,
  sourcesOf,
  textOf,
  writeResult,
} from './batch-folder.ts';
import { errorLines, followBatch } from './batch-progress.ts';
import type { BatchView, HearthClient } from './client.ts';
import { type CommandDeps, withClient } from './command.ts';
import { readQuestion } from './decide.ts';

interface RunFlags {
  prompt?: string;
  over: string;
  out: string;
  model?: string;
  system?: string;
  schema?: string;
  decide?: string[];
  maxTokens?: number;
  window: string;
}

/** Of one batch; the rest comes in the next. */
const [mostRequests, mostCharacters] = [10_000, 100_000_000];
/** What is under way, in the folder of results, so that the same command goes on with it. */
const stateName = '.hearth-batch.json';
const requestsName = '.hearth-batch.jsonl';

const runState = z.object({
  /** The server knows by it whether it has this batch already. */
  key: z.string(),
  fileId: z.string(),
  batchId: z.string().nullable(),
  endpoint: z.string(),
  window: z.string(),
  ending: z.string(),
  /** Names of the files, in the order of the requests. */
  names: z.array(z.string()),
});
type RunState = z.infer<typeof runState>;

/** `hearth batch run`: asks the same of every file of a folder. */
export function addBatchRunCommand(batches: Command, deps: CommandDeps): void {
  const collect = (value: string, before: string[] = []) => [...before, value];
  batches
    .command('run')
    .description('ask the same of many text files, with one result for each; what has a result is not asked again')
    .requiredOption('--over <glob>', 'the files: "mails/**/*.txt"')
    .requiredOption('--out <folder>', 'where results go')
    .option('--prompt <file>', 'what is asked; {{text}} and {{name}} are those of a file')
    .option('--decide <question>', 'a closed question, as hearth decide has it', collect)
    .option('--schema <file>', 'a JSON schema that answers keep to')
    .option('--system <file>', 'a system prompt')
    .option('--model <name>', 'left out: the default model')
    .option('--max-tokens <number>', 'most tokens of an answer', (text) => {
      if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
      throw new InvalidArgumentError('It is a whole number above 0.');
    })
    .option('--window <time>', 'what has not begun by then waits for the next run: 24h, 7d', '24h')
    .action(async (flags: RunFlags, command: Command) => {
      await withClient(deps, command, async (client) => runOver(client, await taskOf(flags), flags, deps));
    });
}

async function taskOf(flags: RunFlags): Promise<FolderTask> {
  const { prompt, system, schema, decide = [] } = flags;
  const [model, maxTokens] = [flags.model ?? null, flags.maxTokens ?? null];
  const template = prompt === undefined ? null : await readText(prompt, '--prompt');
  if (decide.length > 0) {
    if (schema !== undefined || system !== undefined || maxTokens !== null) {
      throw new AppError('invalid_request', '--decide goes with --prompt and --model alone.');
    }
    return decideTask({ template, model, questions: decide.map(readQuestion) });
  }
  if (template === null) throw new AppError('invalid_request', '--prompt or --decide is required.');
  return promptTask({
    template,
    model,
    system: system === undefined ? null : await readText(system, '--system'),
    schema: schema === undefined ? null : parseSchema(await readText(schema, '--schema'), schema),
    maxTokens,
  });
}

async function readText(path: string, option: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('invalid_request', `${option} names a file, and "${path}" cannot be read.`, { cause });
  });
}

function parseSchema(text: string, path: string): object {
  try {
    const schema: unknown = JSON.parse(text);
    if (typeof schema === 'object' && schema !== null) return schema;
  } catch {
    // Said below.
  }
  throw new AppError('invalid_request', `${path} is no JSON schema.`);
}

/** Asks until every file has a result or has failed. Exit code 0: all have a result. */
async function runOver(client: HearthClient, task: FolderTask, flags: RunFlags, deps: CommandDeps): Promise<number> {
  const { over, out, window } = flags;
  const { terminal } = deps;
  await mkdir(out, { recursive: true });
  const interrupted = deps.interrupted();
  const failed = new Map<string, string>();
  for (let state = await readState(out); ; state = null) {
    const begun = state === null ? await beginNext() : await resume(client, out, state);
    if (begun === null) {
      if (state !== null) continue;
      break;
    }
    const batch = await followBatch(client, begun.batch, { terminal, interrupted });
    if (batch === null) {
      terminal.fail('The server goes on with it; the same command fetches what is there.');
      return 130;
    }
    for (const [name, reason] of await fetchResults(client, batch, begun.state, { out, task }))
      failed.set(name, reason);
    await removeState(out);
    await removeFiles(client, batch, begun.state);
  }
  for (const [name, reason] of failed) terminal.fail(toPrintable(`${name}: ${reason}`));
  const done = (await sourcesOf(over, out)).length - failed.size;
  terminal.write(`${done} of ${done + failed.size} files have a result in ${toPrintable(out)}.\n`);
  return failed.size === 0 ? 0 : 1;

  /** A batch of files that have no result and were not tried in this run; null: there are none. */
  async function beginNext(): Promise<Begun | null> {
    const sources = (await sourcesOf(over, out)).filter(({ name }) => !failed.has(name));
    const names: string[] = [];
    const path = join(out, requestsName);
    await pipeline(Readable.from(requestsOf(sources, names)), createWriteStream(path, { mode: 0o600 }));
    try {
      if (names.length === 0) return null;
      const fileId = await client.sendFile(path, 'batch');
      const { endpoint, ending } = task;
      const state = { key: randomUUID(), fileId, batchId: null, endpoint, window, ending, names };
      await writeState(out, state);
      return await begin(client, out, state);
    } finally {
      await rm(path, { force: true });
    }
  }

  async function* requestsOf(sources: readonly Source[], names: string[]): AsyncGenerator<string> {
    let characters = 0;
    for (const source of sources) {
      if (names.length === mostRequests || characters > mostCharacters) return;
      if (await hasResult(out, source, task.ending)) continue;
      const text = await textOf(source).catch((error: AppError) => error);
      if (text instanceof AppError) {
        failed.set(source.name, text.message);
        continue;
      }
      const body = task.bodyFor(text, source.name);
      const line = `${JSON.stringify({ custom_id: customIdOf(source), method: 'POST', url: task.endpoint, body })}\n`;
      names.push(source.name);
      characters += line.length;
      yield line;
    }
  }
}

interface Begun {
  batch: BatchView;
  state: RunState;
}

async function begin(client: HearthClient, out: string, state: RunState): Promise<Begun> {
  const { fileId, endpoint, window, key } = state;
  const batch = await client.createBatch({ fileId, endpoint, window, metadata: null, idempotencyKey: key });
  const begun = { batch, state: { ...state, batchId: batch.id } };
  await writeState(out, begun.state);
  return begun;
}

/** What an earlier run left under way; null: the server knows nothing of it any more. */
async function resume(client: HearthClient, out: string, state: RunState): Promise<Begun | null> {
  try {
    if (state.batchId === null) return await begin(client, out, state);
    return { batch: await client.batch(state.batchId), state };
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error;
    await removeState(out);
    return null;
  }
}

/** Writes the results of a batch that is over, and tells why each of the others has none. */
async function fetchResults(
  client: HearthClient,
  batch: BatchView,
  { names, ending }: RunState,
  { out, task }: { out: string; task: FolderTask },
): Promise<Map<string, string>> {
  const nameOf = new Map(names.map((name) => [customIdOf({ name }), name]));
  const failed = new Map<string, string>();
  for (const fileId of [batch.output_file_id, batch.error_file_id]) {
    for await (const line of fileId === null ? [] : client.fileLines(fileId)) {
      const result = resultLine.parse(JSON.parse(line));
      const name = nameOf.get(result.custom_id);
      if (name === undefined) continue;
      const reason = failureOf(result) ?? (await written(name, result.response!.body));
      if (reason !== null) failed.set(name, reason);
    }
  }
  if (batch.errors === null) return failed;
  // None was asked: those that are at fault are left out, and the others come with the next batch.
  const lines = batch.errors.data.filter(({ line }) => line !== null);
  if (lines.length === 0) throw new AppError('invalid_request', errorLines(batch).join(' '));
  return new Map(lines.map(({ line, message }) => [names[line! - 1]!, message]));

  async function written(name: string, body: Readonly<Record<string, unknown>>): Promise<string | null> {
    let text: string;
    try {
      text = task.resultOf(body);
    } catch {
      return 'The answer is no JSON: it was cut off. Raise --max-tokens.';
    }
    await writeResult(resultPath(out, { name }, ending), text);
    return null;
  }
}

/** Files of the server that nobody needs any more; where one is gone already, all the better. */
async function removeFiles(client: HearthClient, batch: BatchView, { fileId }: RunState): Promise<void> {
  for (const id of [fileId, batch.output_file_id, batch.error_file_id]) {
    if (id !== null) await client.removeFile(id).catch(() => {});
  }
}

async function readState(out: string): Promise<RunState | null> {
  const text = await readFile(join(out, stateName), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return runState.parse(JSON.parse(text));
  } catch {
    // Of another version, or broken: what has a result is not asked again.
    return null;
  }
}

const writeState = (out: string, state: RunState) => replaceFile(join(out, stateName), `${JSON.stringify(state)}\n`);
const removeState = (out: string) => rm(join(out, stateName), { force: true });
