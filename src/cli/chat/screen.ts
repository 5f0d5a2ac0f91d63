/** Where a chat writes, and who reads it. */
export interface Screen {
  /** The answer. */
  write(text: string): void;
  /** What is said beside it, on the error stream, as it stands. */
  note(text: string): void;
  /** A person watches the answer. */
  isWatched: boolean;
  /** A person watches the notes, so a line of them may be written over. */
  areNotesWatched: boolean;
  /** Width of the window. */
  columns(): number;
  /** Whether less important text may be dimmed. */
  hasStyles: boolean;
}

/** Everything but line breaks and tabs that a terminal obeys instead of showing it. */
const controls = /(?![\n\t])\p{Cc}/gu;

/** A model's text as a terminal may have it: what would move its cursor, colour it or answer it is left out. */
export function safeText(text: string): string {
  return text.replace(controls, '');
}

/** To the start of the line, and away with what stood there. */
export const freshLine = '\r\u001b[K';

/** As much of a text as one line has room for, so that it can be written over. */
export function fitLine(text: string, columns: number): string {
  const most = Math.max(1, columns - 1);
  return text.length <= most ? text : `${text.slice(0, Math.max(0, most - 1))}…`;
}
