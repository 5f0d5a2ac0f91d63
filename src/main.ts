#!/usr/bin/env node
import { Command } from 'commander';
import { type PlanFlags, showPlan } from './cli/plan.ts';
import { serve } from './cli/serve.ts';
import { addStoreCommands } from './cli/store-commands.ts';
import { ConfigError, type ConfigFlags, configFlags, loadConfig } from './config/load.ts';
import { packageVersion } from './config/package.ts';

const program = new Command('hearth').description('Serve language models from this machine').version(packageVersion());
for (const { flags, help } of configFlags()) program.option(flags, help);
program.action(async (flags: ConfigFlags) => {
  await serve(loadConfig({ flags, env: process.env, cwd: process.cwd() }), process.env);
});

program
  .command('plan <model>')
  .description('show how a model would be loaded and what memory it would take')
  .option('--quantization <label>', 'a variant such as q4_k_m, or auto for the best that fits')
  .option('--context-length <tokens>', 'tokens that one request may fill')
  .option('--parallel <number>', 'requests that are decoded at the same time')
  .option('--json', 'print JSON')
  .action(async (model: string, flags: PlanFlags, command: Command) => {
    const config = loadConfig({ flags: command.optsWithGlobals(), env: process.env, cwd: process.cwd() });
    process.exitCode = await showPlan(model, flags, {
      config,
      env: process.env,
      write: (text) => process.stdout.write(text),
      fail: (text) => console.error(text),
    });
  });

addStoreCommands(program, {
  configOf: (command) => loadConfig({ flags: command.optsWithGlobals(), env: process.env, cwd: process.cwd() }),
  terminal: {
    write: (text) => process.stdout.write(text),
    fail: (text) => console.error(`hearth: ${text}`),
    isInteractive: process.stdout.isTTY === true,
  },
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
