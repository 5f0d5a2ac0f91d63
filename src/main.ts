#!/usr/bin/env node
import { text as readText } from 'node:stream/consumers';
import { createProgram } from './cli/cli.ts';
import { ConfigError, loadConfig } from './config/load.ts';

const program = createProgram({
  configOf: (command) => loadConfig({ flags: command.optsWithGlobals(), env: process.env, cwd: process.cwd() }),
  env: process.env,
  terminal: {
    write: (text) => process.stdout.write(text),
    fail: (text) => console.error(`hearth: ${text}`),
    isInteractive: process.stdout.isTTY === true,
  },
  readInput: () => readText(process.stdin),
  interrupted: () => new Promise((resolve) => process.once('SIGINT', () => resolve())),
  setExitCode: (code) => {
    process.exitCode = code;
  },
});

try {
  await program.parseAsync();
} catch (error) {
  // One line says what to do; a stack would only hide it. Anything unexpected keeps its stack.
  if (error instanceof ConfigError) console.error(`hearth: ${error.message}`);
  else console.error(error);
  process.exit(1);
}
