import { Command } from 'commander';
import { configFlags } from '../config/load.ts';
import { packageVersion } from '../config/package.ts';
import type { CommandDeps } from './command.ts';
import { addPlanCommand } from './plan.ts';
import { addPullCommand } from './pull.ts';
import { serve } from './serve.ts';
import { addImportCommand, addListCommand, addPullsCommand, addRemoveCommand } from './store-commands.ts';

/**
 * The command line of Hearth: without a command it serves. All others ask the running server, or work in this process
 * where there is none.
 */
export function createProgram(deps: CommandDeps): Command {
  const program = new Command('hearth')
    .description('Serve language models from this machine')
    .version(packageVersion())
    .action(async (_flags: object, command: Command) => serve(deps.configOf(command), deps.env));
  for (const { flags, help } of configFlags()) program.option(flags, help);
  addPlanCommand(program, deps);
  addPullCommand(program, deps);
  addPullsCommand(program, deps);
  addListCommand(program, deps);
  addRemoveCommand(program, deps);
  addImportCommand(program, deps);
  return program;
}
