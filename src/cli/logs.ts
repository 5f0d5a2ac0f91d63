import { type Command, Option } from 'commander';
import { AppError } from '../core/errors.ts';
import { toPrintable } from '../core/printable.ts';
import { type LogLevel, logLevels } from '../observe/log-lines.ts';
import { logText } from '../observe/log-text.ts';
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

/** A line that a server tells, for people. */
export function logLine({ time, level, message, request_id, fields }: LogRecord): string {
  return logText({ time: new Date(time), level: level as LogLevel, message, requestId: request_id, fields });
}
