import { Command } from 'commander';
import { configFlags } from '../config/load.ts';
import { packageVersion } from '../config/package.ts';
import { toPrintable } from '../core/printable.ts';
import type { CommandDeps } from './command.ts';
import { addDecideCommand } from './decide.ts';
import { nearestWord } from './nearest-word.ts';
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
    // Ours to word: as excess arguments they would only be counted.
    .allowExcessArguments()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'hearth: ')) })
    .action(async (_flags: object, command: Command) => {
      const [unknown] = command.args;
      if (unknown === undefined) return serve(deps.configOf(command), deps.env);
      deps.terminal.fail(unknownCommand(unknown, program));
      deps.setExitCode(1);
    });
  for (const { flags, help } of configFlags()) program.option(flags, help);
  addDecideCommand(program, deps);
  addPlanCommand(program, deps);
  addPullCommand(program, deps);
  addPullsCommand(program, deps);
  addListCommand(program, deps);
  addRemoveCommand(program, deps);
  addImportCommand(program, deps);
  return program;
}

function unknownCommand(word: string, program: Command): string {
  const names = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  const near = nearestWord(word, names);
  const question = near === null ? '' : ` Did you mean "${near}"?`;
  return `There is no command "${toPrintable(word)}".${question} The commands are ${program.commands.map((command) => command.name()).join(', ')}; without one, Hearth serves.`;
}
