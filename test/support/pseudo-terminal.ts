import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cleanEnvironment, repositoryRoot } from './server.ts';

/** Of util-linux: it runs a command in a terminal of its own. */
const script = '/usr/bin/script';

/** Null: there is no way to make a terminal here. */
export const terminalMissing = existsSync(script) ? null : 'needs "script" of util-linux';

/** A command in a terminal. */
export interface PseudoTerminal {
  /** Types, as keys send it: `\r` is Enter, `\u0003` Ctrl-C. */
  type(text: string): void;
  /** Resolves with what was shown since the last call, up to and with the first match. Rejects when the command ends before. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with the exit code and all that was shown. */
  ended: Promise<{ code: number | null; text: string }>;
  /** Ends it, however far it is. */
  kill(): void;
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs `hearth WORDS` in a terminal of so many columns. */
export function openTerminal(
  words: readonly string[],
  { columns = 80, env = {} }: { columns?: number; env?: Record<string, string> } = {},
): PseudoTerminal {
  const command = [process.execPath, 'src/main.ts', ...words].map(quoted).join(' ');
  // Without echo: what is typed before the program listens would be shown twice.
  const line = `stty cols ${columns} rows 24 -echo; exec ${command}`;
  const child = spawn(script, ['-qfec', line, '/dev/null'], {
    cwd: repositoryRoot,
    env: cleanEnvironment({ TERM: 'xterm-256color', SHELL: '/bin/sh', ...env }),
  });
  let text = '';
  let seen = 0;
  let code: number | null | undefined;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const each of waiting) each();
  };
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    look();
  });
  const ended = new Promise<{ code: number | null; text: string }>((resolve) => {
    child.on('close', (value) => {
      code = value;
      resolve({ code: value, text });
      look();
    });
  });
  return {
    ended,
    type: (keys) => void child.stdin.write(keys),
    // The terminal goes with it, and with that whatever ran there.
    kill: () => void child.kill('SIGKILL'),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const match = pattern.exec(text.slice(seen));
          if (match) {
            const end = seen + match.index + match[0].length;
            const shown = text.slice(seen, end);
            seen = end;
            waiting.delete(check);
            resolve(shown);
          } else if (code !== undefined) {
            waiting.delete(check);
            reject(new Error(`the command ended with ${code} before ${pattern} was shown:\n${text.slice(seen)}`));
          }
        };
        waiting.add(check);
        check();
      }),
  };
}
