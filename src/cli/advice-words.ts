import type { SayCommand } from '../core/say-command.ts';

/** What a server advises, with the command at its end as it is typed here: servers say `hearth pull x:Q4_0`. */
export function adviceWords(message: string, sayCommand: SayCommand): string {
  return message.replace(/: hearth (\S.*)$/, (_, words: string) => `: ${sayCommand(words)}`);
}
