import type { Command } from 'commander';
import { fileSize } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import type { PullWish } from '../core/pull.ts';
import type { SayCommand } from '../core/say-command.ts';
import { toSnakeCase } from '../wire/snake-case.ts';
import { adviceWords } from './advice-words.ts';
import type { HearthClient, PullView } from './client.ts';
import { type CommandDeps, print, type Terminal, withClient } from './command.ts';
import { plainLine, progressLine } from './progress.ts';
import { namingPullable } from './unknown-model.ts';

/** `hearth pull`: pulls a model and stays until it is there, or the person leaves. */
export function addPullCommand(program: Command, deps: CommandDeps): void {
  program
    .command('pull <model>')
    .description('pull a model: a name of the catalogue, hf.co/org/repo:q4_k_m or org/repo/file.gguf')
    .option('--quantization <label>', 'a variant such as q4_k_m, or auto for the usual one that fits and is fast here')
    .option('--revision <revision>', 'branch, tag or commit of the repository')
    .option('--force', 'also what can never fit into the memory')
    .option('--json', 'print the pull as JSON when it has ended')
    .action(async (name: string, flags: Omit<PullWish, 'name'> & { json?: boolean }, command: Command) => {
      const { quantization, revision, force, json } = flags;
      const wish = {
        name,
        ...(quantization !== undefined && { quantization }),
        ...(revision !== undefined && { revision }),
        ...(force !== undefined && { force }),
      };
      await withClient(deps, command, (client) =>
        namingPullable(client, deps.sayCommand, name, () =>
          pullModel(
            client,
            wish,
            { terminal: deps.terminal, sayCommand: deps.sayCommand, interrupted: deps.interrupted() },
            json,
          ),
        ),
      );
    });
}

interface PullSurroundings {
  terminal: Terminal;
  sayCommand: SayCommand;
  /** Resolves when the person wants to leave. */
  interrupted: Promise<void>;
}

/**
 * Pulls a model and shows its plan, its progress and its end. `interrupted` resolves when the person wants to leave: a
 * pull in a server goes on then, one in this process stops where it can go on. Resolves with the exit code. Rejects
 * with the `AppError` that refused the pull. `json`: shows nothing but the pull at its end.
 */
export async function pullModel(
  client: Pick<HearthClient, 'outlivesUs' | 'pull' | 'follow'>,
  wish: PullWish,
  about: PullSurroundings,
  json = false,
): Promise<number> {
  const { terminal } = about;
  const shown = json ? { ...terminal, write: () => {}, isInteractive: false } : terminal;
  const { code, last } = await follow(client, wish, { ...about, terminal: shown });
  if (json && last !== null) print(terminal, true, toSnakeCase(last), []);
  return code;
}

/** `last`: null where the person left before the end. */
async function follow(
  client: Pick<HearthClient, 'outlivesUs' | 'pull' | 'follow'>,
  wish: PullWish,
  { terminal, sayCommand, interrupted }: PullSurroundings,
): Promise<{ code: number; last: PullView | null }> {
  const pull = await client.pull(wish);
  terminal.write(`${toPrintable(`${pull.model} from ${pull.repository}`)}, ${fileSize(pull.totalBytes)}\n`);
  if (pull.planMessage !== null) terminal.write(`${toPrintable(pull.planMessage)}\n`);
  // What it waits for is the last of them, and is shown with its progress.
  const notes = pull.state === 'waiting' ? pull.notes.slice(0, -1) : pull.notes;
  for (const note of notes)
    if (note !== pull.planMessage) terminal.write(`${toPrintable(adviceWords(note, sayCommand))}\n`);
  const last = await Promise.race([show(client, pull, terminal), interrupted.then(() => null)]);
  if (terminal.isInteractive) terminal.write('\n');
  if (last === null) {
    terminal.fail(
      client.outlivesUs
        ? `The server goes on with it; ${sayCommand('pulls')} shows it, ${sayCommand(`pulls --cancel ${pull.id}`)} stops it.`
        : 'Stopped. The same command goes on where it was.',
    );
    return { code: 130, last: null };
  }
  if (last.state === 'done') {
    terminal.write(`${toPrintable(last.model)} is ready.\n`);
    return { code: 0, last };
  }
  const { message, fix } = last.error ?? { message: `The pull is ${last.state}.`, fix: null };
  terminal.fail(toPrintable(fix === null ? message : `${message} ${fix}`));
  return { code: 1, last };
}

async function show(client: Pick<HearthClient, 'follow'>, begun: PullView, terminal: Terminal): Promise<PullView> {
  let last = begun;
  let key: string | null = null;
  for await (const pull of client.follow(begun.id)) {
    last = pull;
    if (terminal.isInteractive) {
      // To the start of the line, and away with what was longer.
      terminal.write(`\r${toPrintable(progressLine(pull, terminal.columns()))}\u001b[K`);
      continue;
    }
    const plain = plainLine(pull, key);
    if (plain === null) continue;
    key = plain.key;
    terminal.write(`${toPrintable(plain.line)}\n`);
  }
  return last;
}
