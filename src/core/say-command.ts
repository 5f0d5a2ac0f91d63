/**
 * Words a command of Hearth as its reader has to type it, in quotes for a message: `sayCommand('pull qwen3-4b')` is
 * `"./hearth pull qwen3-4b"` where Hearth runs from its folder. Without words it is the command that serves.
 */
export type SayCommand = (words?: string) => string;

/** `program`: what is typed in front of the words. */
export function commandSayer(program: string): SayCommand {
  return (words = '') => `"${[program, words].filter((part) => part !== '').join(' ')}"`;
}
