import { Command } from 'commander';
import { configFlags } from '../config/load.ts';
import { packageVersion } from '../config/package.ts';
import { toPrintable } from '../core/printable.ts';
import { addBatchCommand } from './batch.ts';
import { addBenchCommand } from './bench.ts';
import type { CommandDeps } from './command.ts';
import { addCompletionCommand } from './completion.ts';
import { addConfigCommand } from './config.ts';
import { addCostCommand } from './cost.ts';
import { addDecideCommand } from './decide.ts';
import { addDoctorCommand } from './doctor.ts';
import { addKeyCommand } from './keys.ts';
import { addLoadCommand, addUnloadCommand } from './load.ts';
import { addLogsCommand } from './logs.ts';
import { nearestWord } from './nearest-word.ts';
import { addPlanCommand } from './plan.ts';
import { addPrivacyCommand } from './privacy.ts';
import { addProviderCommand } from './provider.ts';
import { addPsCommand } from './ps.ts';
import { addPullCommand } from './pull.ts';
import { addRunCommand } from './run.ts';
import { addSearchCommand } from './search.ts';
import { addShowCommand } from './show.ts';
import { addStatusCommand } from './status.ts';
import {
  addCopyCommand,
  addImportCommand,
  addListCommand,
  addPullsCommand,
  addRemoveCommand,
} from './store-commands.ts';

/**
 * The command line of Hearth: without a command it serves. All others ask the running server, or work in this process
 * where there is none.
 */
export function createProgram(deps: CommandDeps): Command {
  // The server is most of the program; commands that ask one start in a fraction of its time.
  const serveWith = async (command: Command) => {
    const { serve } = await import('./serve.ts');
    await serve(
      {
        load: (file) => deps.configOf(command, file),
        filePath: deps.configFileOf(command),
        show: () => deps.shownConfigOf(command),
      },
      { env: deps.env, isWatched: deps.terminal.areNotesWatched },
    );
  };
  const program = new Command(deps.programName)
    .description('Serve language models from this machine')
    .version(packageVersion())
    // Ours to word: as excess arguments they would only be counted.
    .allowExcessArguments()
    .configureOutput({ outputError: (text, write) => write(`hearth: ${usageLine(text)}\n`) })
    .action(async (_flags: object, command: Command) => {
      const [unknown] = command.args;
      if (unknown === undefined) return serveWith(command);
      deps.terminal.fail(unknownCommand(unknown, program));
      deps.setExitCode(1);
    });
  for (const { flags, help } of configFlags()) program.option(flags, help);
  program
    .command('serve')
    .description('serve, as without a command')
    .action((_flags: object, command: Command) => serveWith(command));
  addRunCommand(program, deps);
  addDecideCommand(program, deps);
  addPlanCommand(program, deps);
  addSearchCommand(program, deps);
  addPullCommand(program, deps);
  addPullsCommand(program, deps);
  addListCommand(program, deps);
  addPsCommand(program, deps);
  addShowCommand(program, deps);
  addLoadCommand(program, deps);
  addUnloadCommand(program, deps);
  addRemoveCommand(program, deps);
  addImportCommand(program, deps);
  addCopyCommand(program, deps);
  addProviderCommand(program, deps);
  addConfigCommand(program, deps);
  addKeyCommand(program, deps);
  addBatchCommand(program, deps);
  addStatusCommand(program, deps);
  addCostCommand(program, deps);
  addPrivacyCommand(program, deps);
  addLogsCommand(program, deps);
  addBenchCommand(program, deps);
  addDoctorCommand(program, deps);
  addCompletionCommand(program, deps);
  return program;
}

function unknownCommand(word: string, program: Command): string {
  const names = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  const near = nearestWord(word, names);
  const question = near === null ? '' : ` Did you mean "${near}"?`;
  return `There is no command "${toPrintable(word)}".${question} The commands are ${program.commands.map((command) => command.name()).join(', ')}; without one, Hearth serves.`;
}

/** One line of what commander says of wrong words, with the nearest option, or with where to read on. */
function usageLine(text: string): string {
  const [problem = '', near] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n');
  if (near !== undefined) return `${problem.replace(/\.$/, '')}. ${near.replace(/^\((.*)\)$/, '$1')}`;
  return problem.endsWith('.') ? problem : `${problem}. --help after the command lists what it takes.`;
}
