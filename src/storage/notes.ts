import { closeSync, constants, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';

/**
 * Lines in a file that outlive the process, though not a loss of power: for what is in the tables a moment later. A line takes
 * a tenth of what a transaction takes.
 */
export interface Notes {
  /** Returns the number of the line. Throws where it cannot be written, of which nothing is left then. */
  add(line: string): number;
  /** Forgets all lines before that number. */
  dropBefore(number: number): void;
  /** Lines of processes that are no more; of this one, nothing may be there yet. */
  left(): string[];
  /** Forgets those. */
  dropLeft(): void;
  close(): void;
}

/** From here on the file is written anew, though some of it still counts. */
const mostBytes = 256 * 1024;

/** Nothing is touched before somebody asks for it. */
export function notesIn(path: string): Notes {
  let descriptor: number | null = null;
  let bytes = 0;
  let lines: Buffer[] = [];
  /** Number of the first of them. */
  let first = 0;
  const open = (): number => {
    descriptor ??= openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    return descriptor;
  };
  const write = (text: Buffer, at: number) => {
    const file = open();
    if (writeSync(file, text, 0, text.length, at) === text.length) return;
    ftruncateSync(file, at);
    throw new Error('the disk is full');
  };
  return {
    add(line) {
      const text = Buffer.from(`${line}\n`);
      write(text, bytes);
      bytes += text.length;
      lines.push(text);
      return first + lines.length - 1;
    },
    dropBefore(number) {
      const count = Math.min(lines.length, Math.max(0, number - first));
      first += count;
      lines = lines.slice(count);
      if (bytes === 0 || (lines.length > 0 && bytes < mostBytes)) return;
      const rest = Buffer.concat(lines);
      // Where it ends here by force, what stands behind is old and known, but for a line that is cut.
      write(rest, 0);
      ftruncateSync(open(), rest.length);
      bytes = rest.length;
    },
    left() {
      // What stands behind the last end of a line was not written to its end.
      return readIfThere(path).split('\n').slice(0, -1);
    },
    dropLeft() {
      ftruncateSync(open(), 0);
    },
    close() {
      if (descriptor === null) return;
      closeSync(descriptor);
      descriptor = null;
      if (bytes === 0) rmSync(path, { force: true });
    },
  };
}

/** Of a database of which nothing outlives the process. */
export const noNotes: Notes = {
  add: () => 0,
  dropBefore: () => {},
  left: () => [],
  dropLeft: () => {},
  close: () => {},
};

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
