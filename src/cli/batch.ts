import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Command, InvalidArgumentError } from 'commander';
import { AppError } from '../core/errors.ts';
import { toPrintable } from '../core/printable.ts';
import { batchLine, errorLines, followBatch, isOver } from './batch-progress.ts';
import { addBatchRunCommand } from './batch-run.ts';
import type { BatchProgress, BatchView, HearthClient } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { usd } from './cost.ts';

interface CreateFlags {
  endpoint?: string;
  window: string;
  metadata?: Record<string, string>;
  webhook?: string;
  wait?: boolean;
  json?: boolean;
}

/** `hearth batch`: many requests, answered by the server when nobody else needs the machine. */
export function addBatchCommand(program: Command, deps: CommandDeps): void {
  const batches = program.command('batch').description('have many requests answered when nobody needs the machine');
  addCreate(batches, deps);
  batches
    .command('list')
    .alias('ls')
    .description('list the batches, the newest first')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const list = await client.batches();
        print(deps.terminal, json, list, list.map(batchLine));
        return 0;
      });
    });
  batches
    .command('show <batch>')
    .description('show how far a batch is')
    .option('--wait', 'stay until it is over')
    .option('--json', 'print JSON')
    .action(async (id: string, { wait, json }: { wait?: boolean; json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) =>
        showBatch(client, await client.batch(id), deps, { wait, json }),
      );
    });
  batches
    .command('cancel <batch>')
    .description('end a batch early; what there is of results stays')
    .option('--json', 'print JSON')
    .action(async (id: string, { json }: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const cancelled = await client.cancelBatch(id);
        print(deps.terminal, json, cancelled, [batchLine(cancelled)]);
        return 0;
      });
    });
  batches
    .command('results <batch>')
    .description('print the results of a batch that is over, a line of JSON each; what failed goes to the error stream')
    .action(async (id: string, _flags: object, command: Command) => {
      await withClient(deps, command, (client) => printResults(client, id, deps));
    });
  addBatchRunCommand(batches, deps);
}

function addCreate(batches: Command, deps: CommandDeps): void {
  batches
    .command('create <file>')
    .description('have the requests of a file answered: a line of JSON each, as OpenAI has it')
    .option('--endpoint <path>', 'what they are for; left out: as the first line says')
    .option('--window <time>', 'what has not begun by then never is: 24h, 7d', '24h')
    .option('--metadata <key=value...>', 'kept with the batch', pairsOf)
    .option('--webhook <url>', 'who is told of its end')
    .option('--wait', 'stay until it is over')
    .option('--json', 'print JSON')
    .action(async (filePath: string, flags: CreateFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        const endpoint = flags.endpoint ?? (await endpointIn(filePath));
        const { metadata = null, window, webhook } = flags;
        const fileId = await client.sendFile(filePath, 'batch');
        const batch = await client.createBatch({
          fileId,
          endpoint,
          window,
          metadata,
          idempotencyKey: null,
          ...(webhook !== undefined && { webhookUrl: webhook }),
        });
        return showBatch(client, batch, deps, flags);
      });
    });
}

/** Exit code 0: it is well as far as it has come. */
async function showBatch(
  client: HearthClient,
  begun: BatchView,
  { terminal, interrupted, sayCommand }: CommandDeps,
  { wait, json }: { wait?: boolean | undefined; json?: boolean | undefined },
): Promise<number> {
  if (wait && !isOver(begun)) {
    terminal.fail(`The batch is ${toPrintable(begun.id)}.`);
    const quiet = { ...terminal, write: () => {} };
    const batch = await followBatch(client, begun, {
      terminal: json ? quiet : terminal,
      interrupted: interrupted(),
    });
    if (batch === null) {
      terminal.fail(`The server goes on with it; ${sayCommand(`batch show ${toPrintable(begun.id)}`)} shows it.`);
      return 130;
    }
    return showBatch(client, batch, { terminal, interrupted, sayCommand } as CommandDeps, { json });
  }
  const progress = isOver(begun) ? null : await client.batchProgress(begun.id);
  const lines = [batchLine(begun), ...(progress?.cloud ? [cloudLine(progress.cloud)] : [])];
  print(terminal, json, { ...begun, ...(progress && { progress }) }, lines);
  for (const line of errorLines(begun)) terminal.fail(toPrintable(line));
  if (progress !== null) {
    const { paused } = progress;
    if (paused !== null && !json) {
      terminal.fail(`No requests are begun now: ${pauseWords[paused] ?? toPrintable(paused)}.`);
    }
    return 0;
  }
  return begun.status === 'completed' && begun.request_counts.failed === 0 ? 0 : 1;
}

/** What of it is at providers. */
function cloudLine({ requests, most_usd: most }: NonNullable<BatchProgress['cloud']>): string {
  const cost = most === null ? 'for a price that nobody knows' : `for ${usd(most)} USD at most`;
  return `${requests} of them ${requests === 1 ? 'is' : 'are'} in batches of providers, ${cost}`;
}

/** Why nothing is begun, in words. */
const pauseWords: Readonly<Record<string, string>> = {
  max_slots: 'jobs.max_slots is 0',
  window: 'it is outside of the hours of jobs.window',
  memory: 'memory is short on the machine of the server',
  temperature: 'its processor is hotter than jobs.pause_above_celsius',
  battery: 'its machine runs on battery',
  ups: 'its UPS runs on battery, or is nearly empty',
};

/** Exit code 0: all requests have an answer. */
async function printResults(client: HearthClient, id: string, { terminal, sayCommand }: CommandDeps): Promise<number> {
  const batch = await client.batch(id);
  if (!isOver(batch)) {
    throw new AppError('invalid_request', `The batch is not over yet: ${batch.status}.`, {
      fix: `${sayCommand(`batch show ${id} --wait`)} stays until it is.`,
    });
  }
  for await (const line of batch.output_file_id ? client.fileLines(batch.output_file_id) : []) {
    // Whoever reads them as a file gets them as they are.
    terminal.write(`${terminal.isInteractive ? toPrintable(line) : line}\n`);
  }
  for await (const line of batch.error_file_id ? client.fileLines(batch.error_file_id) : []) {
    terminal.fail(toPrintable(line));
  }
  for (const line of errorLines(batch)) terminal.fail(toPrintable(line));
  return batch.error_file_id === null && batch.errors === null ? 0 : 1;
}

/** What the first request of a file is for. The server looks at all of them. */
async function endpointIn(filePath: string): Promise<string> {
  const unreadable = (cause: unknown) =>
    new AppError('invalid_request', `${filePath} cannot be read as lines of JSON.`, {
      fix: 'Each line is {"custom_id","method":"POST","url","body"}.',
      cause,
    });
  const input = createReadStream(filePath);
  try {
    for await (const line of createInterface({ input })) {
      if (line.trim() === '') continue;
      const { url } = JSON.parse(line) as { url?: unknown };
      if (typeof url === 'string') return url;
      break;
    }
  } catch (error) {
    throw unreadable(error);
  } finally {
    input.destroy();
  }
  throw unreadable(null);
}

function pairsOf(pair: string, before: Record<string, string> = {}): Record<string, string> {
  const at = pair.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is a pair such as night=1.');
  return { ...before, [pair.slice(0, at)]: pair.slice(at + 1) };
}
