import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** What comes of waiting for a line. */
export type Typed =
  | { type: 'line'; text: string }
  /** Ctrl-C. `hadText`: it threw a begun line away. */
  | { type: 'interrupt'; hadText: boolean }
  /** Ctrl-D, or the terminal is gone. */
  | { type: 'end' };

/** A person at a keyboard. */
export interface Prompt {
  /** The next line, with editing and history. A pasted text comes as one line that holds line breaks. */
  read(words: string): Promise<Typed>;
  /** Does something meanwhile; Ctrl-C aborts the signal. What is typed is kept for the next line. */
  during<T>(work: (interrupted: AbortSignal) => Promise<T>): Promise<T>;
  close(): void;
}

/** A terminal's two directions. */
export interface Keyboard {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream & { columns?: number };
}

/** Terminals that know it mark what is pasted, so that its line breaks are none of the person's. */
const [marksPastes, marksNothing] = ['\u001b[?2004h', '\u001b[?2004l'];

/** `complete`: what a begun line may go on as. */
export function openPrompt({ input, output }: Keyboard, complete: (line: string) => string[]): Prompt {
  let isMuted = false;
  const echo = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      if (!isMuted) output.write(chunk);
      done();
    },
  });
  Object.defineProperty(echo, 'columns', { get: () => output.columns ?? 80 });
  const lines = createInterface({
    input,
    output: echo,
    terminal: true,
    historySize: 500,
    removeHistoryDuplicates: true,
    completer: (line: string) => [complete(line), line],
  });
  const waiting: Typed[] = [];
  let reader: ((typed: Typed) => void) | null = null;
  let work: AbortController | null = null;
  let isPasting = false;
  let pasted: string[] = [];

  const deliver = (typed: Typed) => {
    if (reader === null) waiting.push(typed);
    else reader(typed);
    reader = null;
  };
  const empty = () => {
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
  };
  input.on('keypress', (_text: string | undefined, key: { name?: string }) => {
    if (key.name === 'paste-start' || key.name === 'paste-end') isPasting = key.name === 'paste-start';
  });
  lines.on('line', (line) => {
    if (isPasting) {
      pasted.push(line);
      return;
    }
    const text = [...pasted, line].join('\n');
    pasted = [];
    deliver({ type: 'line', text });
  });
  lines.on('SIGINT', () => {
    if (work !== null) {
      work.abort(new Error('stopped by the person'));
      return;
    }
    const hadText = lines.line !== '' || pasted.length > 0;
    pasted = [];
    empty();
    echo.write('\n');
    deliver({ type: 'interrupt', hadText });
  });
  lines.on('close', () => deliver({ type: 'end' }));
  output.write(marksPastes);

  return {
    read(words) {
      const early = waiting.shift();
      if (early) {
        // Nobody saw it being typed.
        if (early.type === 'line') output.write(`${words}${early.text}\n`);
        return Promise.resolve(early);
      }
      return new Promise((resolve) => {
        reader = resolve;
        lines.setPrompt(words);
        lines.prompt(true);
      });
    },
    async during(act) {
      work = new AbortController();
      isMuted = true;
      try {
        return await act(work.signal);
      } finally {
        work = null;
        isMuted = false;
      }
    },
    close() {
      output.write(marksNothing);
      lines.close();
    },
  };
}
