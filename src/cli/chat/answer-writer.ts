import { type Screen, safeText } from './screen.ts';

const dim = '\u001b[2m';
const undim = '\u001b[22m';

/** Writes one answer as it comes. */
export interface AnswerWriter {
  thinking(text: string): void;
  text(text: string): void;
  /** Ends the line, however far the answer came. */
  end(): void;
}

/**
 * Thinking is for people who watch, and dimmed; into a file or a pipe goes the answer alone. `showsThinking`: false
 * leaves it out there too.
 */
export function createAnswerWriter(screen: Screen, showsThinking: boolean): AnswerWriter {
  let part: 'nothing' | 'thinking' | 'text' = 'nothing';
  let last = '';

  function write(text: string): void {
    if (text === '') return;
    last = text.at(-1)!;
    screen.write(text);
  }
  /** The line breaks that models begin with would be empty lines. */
  const begun = (text: string, is: typeof part) => (part === is ? text : text.replace(/^\s+/, ''));

  return {
    thinking(text) {
      if (!screen.isWatched || !showsThinking || part === 'text') return;
      const shown = begun(safeText(text), 'thinking');
      if (shown === '') return;
      if (part === 'nothing' && !screen.hasStyles) write('Thinking:\n');
      part = 'thinking';
      // Each piece by itself, so that whatever ends the program leaves no dim terminal behind.
      write(screen.hasStyles ? `${dim}${shown}${undim}` : shown);
      last = shown.at(-1)!;
    },
    text(text) {
      const shown = begun(safeText(text), 'text');
      if (shown === '') return;
      if (part === 'thinking') {
        write(last === '\n' ? '\n' : '\n\n');
        if (!screen.hasStyles) write('Answer:\n');
      }
      part = 'text';
      write(shown);
    },
    end() {
      if (part !== 'nothing' && last !== '\n') write('\n');
    },
  };
}
