import { createProgram } from '../../src/cli/cli.ts';
import type { Config } from '../../src/config/schema.ts';
import type { ShownSetting } from '../../src/config/show.ts';
import { systemClock } from '../../src/core/clock.ts';
import { commandSayer } from '../../src/core/say-command.ts';

/** What a command printed, what it complained of, and its exit code; null: it set none. */
export interface Printed {
  text: string;
  failures: string[];
  /** What it said beside it. */
  notes: string;
  code: number | null;
}

/** Runs `hearth WORDS` with a configuration that is read already, and `input` on stdin. */
export async function runCli(
  config: Config,
  words: readonly string[],
  input = '',
  shown: ShownSetting[] = [],
): Promise<Printed> {
  const printed: Printed = { text: '', failures: [], notes: '', code: null };
  const program = createProgram({
    configOf: () => config,
    shownConfigOf: () => shown,
    configFileOf: () => null,
    env: {},
    programName: 'hearth',
    sayCommand: commandSayer('hearth'),
    terminal: {
      write: (text) => {
        printed.text += text;
      },
      fail: (text) => void printed.failures.push(text),
      note: (text) => {
        printed.notes += text;
      },
      isInteractive: false,
      areNotesWatched: false,
      columns: () => 80,
    },
    clock: systemClock,
    keyboard: null,
    readInput: async () => input,
    interrupted: () => new Promise(() => {}),
    setExitCode: (code) => {
      printed.code = code;
    },
  });
  await program.parseAsync(words, { from: 'user' });
  return printed;
}
