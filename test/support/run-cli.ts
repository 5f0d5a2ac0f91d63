import { createProgram } from '../../src/cli/cli.ts';
import type { Config } from '../../src/config/schema.ts';

/** What a command printed, what it complained of, and its exit code; null: it set none. */
export interface Printed {
  text: string;
  failures: string[];
  code: number | null;
}

/** Runs `hearth WORDS` with a configuration that is read already, and `input` on stdin. */
export async function runCli(config: Config, words: readonly string[], input = ''): Promise<Printed> {
  const printed: Printed = { text: '', failures: [], code: null };
  const program = createProgram({
    configOf: () => config,
    env: {},
    terminal: {
      write: (text) => {
        printed.text += text;
      },
      fail: (text) => void printed.failures.push(text),
      isInteractive: false,
    },
    readInput: async () => input,
    interrupted: () => new Promise(() => {}),
    setExitCode: (code) => {
      printed.code = code;
    },
  });
  await program.parseAsync(words, { from: 'user' });
  return printed;
}
