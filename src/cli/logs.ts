import { type Command, Option } from 'commander';
import { AppError } from '../core/errors.ts';
import { toPrintable } from '../core/printable.ts';
import { logLevels } from '../observe/log-lines.ts';
import type { HearthClient } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { wholeNumberOf } from './numbers.ts';
import type { LogRecord, LogWish } from './operations-api.ts';

interface LogFlags {
  follow?: boolean;
  level?: string;
  request?: string;
  lines: number;
  json?: boolean;
}

/** `hearth logs`: the last lines of the log of a server that runs. Exit code 1: it ended while it was followed; 130: Ctrl-C. */
export function addLogsCommand(program: Command, deps: CommandDeps): void {
  program
    .command('logs')
    .description('show the last lines of the log of the running server')
    .option('-f, --follow', 'go on with each line as it is written')
    .addOption(new Option('--level <level>', 'the least level').choices([...logLevels]))
    .option('--request <id>', 'lines of one request, by its X-Request-ID')
    .option('-n, --lines <number>', 'at most so many of those that are there', wholeNumberOf(1, 2_000), 100)
    .option('--json', 'print JSON; with --follow a line for each')
    .action(async (flags: LogFlags, command: Command) => {
      const wish = { level: flags.level, requestId: flags.request };
      await withClient(deps, command, async (client) => {
        if (flags.follow) return followLogs(client, wish, flags, deps);
        const lines = await client.logs({ ...wish, limit: flags.lines });
        print(deps.terminal, flags.json, lines, lines.map(logLine));
        return 0;
      });
    });
}

async function followLogs(
  client: HearthClient,
  wish: LogWish,
  { lines, json }: LogFlags,
  { terminal, interrupted }: CommandDeps,
): Promise<number> {
  const follow = async () => {
    // The newest of those that are there; the stream has them all.
    const there = await client.logs({ ...wish, limit: lines });
    const from = there[0]?.sequence ?? 0;
    for await (const line of client.followLogs(wish)) {
      if (line.sequence < from) continue;
      terminal.write(json ? `${JSON.stringify(line)}\n` : `${toPrintable(logLine(line))}\n`);
    }
    throw new AppError('internal_error', 'The server has ended.');
  };
  return Promise.race([follow(), interrupted().then(() => 130)]);
}

/** `2026-11-29 11:00:00 warn   memory is short  model=tiny`, in local time. */
export function logLine({ time, level, message, request_id, fields }: LogRecord): string {
  const more = { ...(request_id !== null && { request: request_id }), ...fields };
  const words = Object.entries(more).map(([name, value]) => `  ${name}=${inWords(value)}`);
  return `${localTime(time)} ${level.padEnd(5)}  ${message}${words.join('')}`;
}

function inWords(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/-]+$/.test(value) ? value : JSON.stringify(value);
  // The stack is for --json; whoever reads along wants to know what happened.
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(value.message);
  return JSON.stringify(value);
}

function localTime(time: string): string {
  const at = new Date(time);
  // As Sweden writes it, which is as ISO does.
  return Number.isNaN(at.getTime()) ? time : at.toLocaleString('sv-SE');
}
