import type { Command } from 'commander';

/** A command as completion sees it: words that lead to it, and what may follow. */
export interface CompletedCommand {
  /** Empty for the program itself. */
  path: string[];
  /** What it is called otherwise, as the last word of its path. */
  aliases: readonly string[];
  commands: { name: string; help: string }[];
  flags: CompletedFlag[];
  /** Whether its arguments are names of models, files, one of these words, or nothing that can be known. */
  argument: 'model' | 'file' | 'none' | readonly string[];
}

export interface CompletedFlag {
  /** `--json`. */
  name: string;
  /** `-f`; null: none. */
  short: string | null;
  help: string;
  /** What it takes: nothing, one of these words, a file, or anything. */
  takes: 'nothing' | 'file' | 'anything' | readonly string[];
}

/** All commands of a program, itself first. What is hidden is left out. */
export function completedCommands(program: Command): CompletedCommand[] {
  const walk = (command: Command, path: string[]): CompletedCommand[] => [
    {
      path,
      aliases: command.aliases(),
      commands: path.length === 0 || command.commands.length > 0 ? childrenOf(command) : [],
      flags: flagsOf(command),
      argument: argumentOf(command),
    },
    ...command.commands.flatMap((child) => walk(child, [...path, child.name()])),
  ];
  return walk(program, []);
}

function childrenOf(command: Command): CompletedCommand['commands'] {
  return command.commands.flatMap((child) =>
    [child.name(), ...child.aliases()].map((name) => ({ name, help: child.description() })),
  );
}

function flagsOf(command: Command): CompletedFlag[] {
  const own = command.options.filter(({ hidden }) => !hidden);
  return [
    ...own.map(({ long, short, description, argChoices, required, optional, flags }) => ({
      name: long ?? short ?? '',
      short: long === undefined ? null : (short ?? null),
      help: description,
      takes: argChoices ?? (required || optional ? takenBy(flags) : ('nothing' as const)),
    })),
    { name: '--help', short: '-h', help: 'show the help', takes: 'nothing' as const },
  ];
}

function takenBy(flags: string): 'file' | 'anything' {
  return /<(?:file|folder|path|dir)/.test(flags) ? 'file' : 'anything';
}

function argumentOf(command: Command): CompletedCommand['argument'] {
  const [first] = command.registeredArguments;
  if (first?.argChoices) return first.argChoices;
  const name = first?.name() ?? '';
  if (/^models?$/.test(name)) return 'model';
  return /^(file|folder)/.test(name) ? 'file' : 'none';
}
