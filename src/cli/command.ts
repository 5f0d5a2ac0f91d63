import { type Command, InvalidArgumentError } from 'commander';
import type { Config } from '../config/schema.ts';
import type { ShownSetting } from '../config/show.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { toPrintable, toPrintableJson } from '../core/printable.ts';
import type { SayCommand } from '../core/say-command.ts';
import type { Keyboard } from './chat/chat.ts';
import type { HearthClient } from './client.ts';
import { connect } from './connect.ts';

/** Where a command writes. */
export interface Terminal {
  write(text: string): void;
  fail(text: string): void;
  /** Beside the output, on the error stream, as it stands. */
  note(text: string): void;
  /** A person watches, so a line may be written over. */
  isInteractive: boolean;
  /** A person watches the error stream. */
  areNotesWatched: boolean;
  /** Width of the window; 80 where there is none. */
  columns: () => number;
}

/** What commands share. */
export interface CommandDeps {
  /** The configuration that a command's flags and their surroundings give. `file`: in place of the one that they name. */
  configOf: (command: Command, file?: string) => Config;
  /** The same, setting by setting with its origin. */
  shownConfigOf: (command: Command) => ShownSetting[];
  /** Absolute path of the file that they name; null: they name none. */
  configFileOf: (command: Command) => string | null;
  /** What is typed to run Hearth: `./hearth`. */
  programName: string;
  /** Words a command for a message, as it is to be typed. */
  sayCommand: SayCommand;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  terminal: Terminal;
  /** The person's terminal; null: something is piped in. */
  keyboard: Keyboard | null;
  /** All of what is typed or piped into the command. */
  readInput: () => Promise<string>;
  /** Resolves when the person presses Ctrl-C; asking takes the signal over. */
  interrupted: () => Promise<void>;
  setExitCode: (code: number) => void;
}

/** Connects, lets a command work and ends with its exit code; an `AppError` is one line and exit code 1. */
export async function withClient(
  { configOf, env, terminal, sayCommand, setExitCode }: CommandDeps,
  command: Command,
  use: (client: HearthClient) => Promise<number>,
): Promise<void> {
  let client: HearthClient | null = null;
  try {
    client = await connect({ config: configOf(command), env, sayCommand, note: terminal.fail });
    setExitCode(await use(client));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    terminal.fail(toPrintable(sentencesOf(error)));
    setExitCode(1);
  } finally {
    await client?.close();
  }
}

/** What failed and what can be done about it. */
function sentencesOf({ code, message, fix }: AppError): string {
  const ownFix = code === 'unauthorized' ? 'Set HEARTH_API_KEY to a key of that server.' : null;
  const way = fix ?? (message.includes('HEARTH_API_KEY') ? null : ownFix);
  return way === null ? message : `${message} ${way}`;
}

/** Prints for a program, or for a person. */
export function print(terminal: Terminal, json: boolean | undefined, value: unknown, lines: readonly string[]): void {
  // Names and reasons may come from files and from a hub: a terminal would obey what stands in them.
  terminal.write(json ? `${toPrintableJson(value)}\n` : lines.map((line) => `${toPrintable(line)}\n`).join(''));
}

/** Reads a flag that is a count. */
export function countOf(text: string): number {
  const number = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new InvalidArgumentError('It is a whole number above 0.');
}
