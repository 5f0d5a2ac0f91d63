import { Argument, type Command } from 'commander';
import type { CommandDeps } from './command.ts';
import { bashCompletion, fishCompletion, zshCompletion } from './completion-scripts.ts';
import { completedCommands } from './completion-tree.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

/** `hearth completion`: what a shell needs to complete commands, made of the commands that there are. */
export function addCompletionCommand(program: Command, deps: CommandDeps): void {
  program
    .command('completion')
    .description('print what completes commands in a shell')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: (typeof shells)[number]) => {
      const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
      deps.terminal.write(scripts[shell](completedCommands(program)));
      deps.setExitCode(0);
    });
}
