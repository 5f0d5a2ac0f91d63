import type { Command } from 'commander';
import type { Config } from '../config/schema.ts';
import { AppError } from '../core/errors.ts';
import { toPrintable, toPrintableJson } from '../core/printable.ts';
import type { HearthClient } from './client.ts';
import { connect } from './connect.ts';

/** Where a command writes. */
export interface Terminal {
  write(text: string): void;
  fail(text: string): void;
  /** A person watches, so a line may be written over. */
  isInteractive: boolean;
}

/** What commands share. */
export interface CommandDeps {
  /** The configuration that a command's flags and their surroundings give. */
  configOf: (command: Command) => Config;
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
  /** All of what is typed or piped into the command. */
  readInput: () => Promise<string>;
  /** Resolves when the person presses Ctrl-C; asking takes the signal over. */
  interrupted: () => Promise<void>;
  setExitCode: (code: number) => void;
}

/** Connects, lets a command work and ends with its exit code; an `AppError` is one line and exit code 1. */
export async function withClient(
  { configOf, env, terminal, setExitCode }: CommandDeps,
  command: Command,
  use: (client: HearthClient) => Promise<number>,
): Promise<void> {
  let client: HearthClient | null = null;
  try {
    client = await connect({ config: configOf(command), env, note: terminal.fail });
    setExitCode(await use(client));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    terminal.fail(toPrintable(error.fix === null ? error.message : `${error.message} ${error.fix}`));
    setExitCode(1);
  } finally {
    await client?.close();
  }
}

/** Prints for a program, or for a person. */
export function print(terminal: Terminal, json: boolean | undefined, value: unknown, lines: readonly string[]): void {
  // Names and reasons may come from files and from a hub: a terminal would obey what stands in them.
  terminal.write(json ? `${toPrintableJson(value)}\n` : lines.map((line) => `${toPrintable(line)}\n`).join(''));
}
