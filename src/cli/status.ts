import type { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { toPrintable } from '../core/printable.ts';
import type { HearthClient } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import type { LiveState } from './status-api.ts';
import { requestStatusLines, type ServerAbout, statusLines } from './status-lines.ts';

interface StatusFlags {
  watch?: boolean;
  json?: boolean;
}

/** `hearth status`: how the server is, or one request. Exit code 1: it does not run, or there is no such request. */
export function addStatusCommand(program: Command, deps: CommandDeps): void {
  program
    .command('status [request]')
    .description('show memory, models, requests, batches and providers of the running server, or one request or batch')
    .option('-w, --watch', 'go on as it changes')
    .option('--json', 'print JSON; with --watch a line for each change')
    .action(async (id: string | undefined, flags: StatusFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        if (id !== undefined) {
          const request = await client.requestStatus(id);
          print(deps.terminal, flags.json, request, requestStatusLines(request));
          return 0;
        }
        const about = await aboutOf(client);
        return flags.watch ? watch(client, about, flags, deps) : show(client, about, flags, deps);
      });
    });
}

async function aboutOf(client: HearthClient): Promise<Omit<ServerAbout, 'now'>> {
  const text = await client.metricsText();
  const seconds = Number(/^hearth_process_start_time_seconds(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1] ?? Number.NaN);
  return { address: client.address ?? '', startedAt: Number.isNaN(seconds) ? null : new Date(seconds * 1_000) };
}

async function show(
  client: HearthClient,
  about: Omit<ServerAbout, 'now'>,
  { json }: StatusFlags,
  { terminal }: CommandDeps,
): Promise<number> {
  for await (const state of client.liveStates()) {
    print(terminal, json, toAnswer(state, about), statusLines(state, { ...about, now: systemClock.now() }));
    return 0;
  }
  throw ended();
}

/** Writes over itself in a terminal; else one after the other. */
async function watch(
  client: HearthClient,
  about: Omit<ServerAbout, 'now'>,
  { json }: StatusFlags,
  { terminal, interrupted }: CommandDeps,
): Promise<number> {
  const follow = async () => {
    let isFirst = true;
    for await (const state of client.liveStates()) {
      if (json) terminal.write(`${JSON.stringify(toAnswer(state, about))}\n`);
      else {
        const lines = statusLines(state, { ...about, now: systemClock.now() }).map(toPrintable);
        if (!terminal.isInteractive) terminal.write(`${isFirst ? '' : '\n'}${lines.join('\n')}\n`);
        // Home, each line over the old one, and away with what was longer.
        else
          terminal.write(
            `${isFirst ? '\u001b[2J' : ''}\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`,
          );
      }
      isFirst = false;
    }
    throw ended();
  };
  return Promise.race([follow(), interrupted().then(() => 130)]);
}

function toAnswer(state: LiveState, { address, startedAt }: Omit<ServerAbout, 'now'>) {
  return { ...state, server: { ...state.server, address, started_at: startedAt?.toISOString() ?? null } };
}

const ended = () => new AppError('internal_error', 'The server has ended.');
