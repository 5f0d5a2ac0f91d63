#!/usr/bin/env node
import { text as readText } from 'node:stream/consumers';
import type { Command } from 'commander';
import { createProgram } from './cli/cli.ts';
import { ConfigError, configFileOf, loadConfig } from './config/load.ts';
import { programName } from './config/program-name.ts';
import { showConfig } from './config/show.ts';
import { systemClock } from './core/clock.ts';
import { commandSayer } from './core/say-command.ts';

const sourcesOf = (command: Command, file?: string) => ({
  flags: { ...command.optsWithGlobals(), ...(file !== undefined && { config: file }) },
  env: process.env,
  cwd: process.cwd(),
});

const typed = programName(process.env, process.argv[1] ?? '', process.platform);
const program = createProgram({
  programName: typed,
  sayCommand: commandSayer(typed),
  configOf: (command, file) => loadConfig(sourcesOf(command, file)),
  shownConfigOf: (command) => showConfig(sourcesOf(command)),
  configFileOf: (command) => configFileOf(sourcesOf(command)),
  env: process.env,
  terminal: {
    write: (text) => process.stdout.write(text),
    fail: (text) => console.error(`hearth: ${text}`),
    note: (text) => process.stderr.write(text),
    isInteractive: process.stdout.isTTY === true,
    areNotesWatched: process.stderr.isTTY === true,
    columns: () => process.stderr.columns ?? process.stdout.columns ?? 80,
  },
  clock: systemClock,
  keyboard: process.stdin.isTTY
    ? { input: process.stdin, output: process.stdout.isTTY ? process.stdout : process.stderr }
    : null,
  readInput: () => readText(process.stdin),
  interrupted: () => new Promise((resolve) => process.once('SIGINT', () => resolve())),
  setExitCode: (code) => {
    process.exitCode = code;
  },
});

// Whoever reads has read enough, as "head" does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  // A line for each problem says what to do; a stack would only hide it. Anything unexpected keeps its stack.
  if (error instanceof ConfigError) for (const problem of error.problems) console.error(`hearth: ${problem}`);
  else console.error(error);
  process.exit(1);
}
