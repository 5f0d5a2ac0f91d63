import { ConfigError } from './config-error.ts';

/** Problems of one look at a configuration, gathered so that all of them are told at once. */
export interface Problems {
  /** Keeps a problem, one line. `section`: what the file calls the part that is incomplete by it; left out: none. */
  add(line: string, section?: string): void;
  /** Runs a step. What it throws as `ConfigError` is kept, its section counts as incomplete, and undefined comes back. */
  attempt<T>(section: string, step: () => T): T | undefined;
  /** Marks a section of which something is left out; `*`: nobody knows of which. */
  leaveOut(section: string): void;
  /** Whether all of these sections are as they were written: what compares them may be checked. */
  areWhole(...sections: readonly string[]): boolean;
  /** All of them, those of a file in the order of its lines. `place`: puts the place in front of a line that names a setting. */
  lines(place?: (line: string) => string): string[];
  /** Throws `ConfigError` with `lines`, where there are any. */
  throwIfAny(place?: (line: string) => string): void;
}

export function createProblems(): Problems {
  const found: string[] = [];
  const incomplete = new Set<string>();
  let cause: unknown;
  const lines: Problems['lines'] = (place = (line) => line) => inOrderOfLines(found.map(place));
  return {
    add(line, section) {
      found.push(line);
      if (section !== undefined) incomplete.add(section);
    },
    attempt(section, step) {
      try {
        return step();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        found.push(...error.problems);
        cause ??= error.cause;
        incomplete.add(section);
        return undefined;
      }
    },
    leaveOut: (section) => void incomplete.add(section),
    areWhole: (...sections) => !incomplete.has('*') && sections.every((section) => !incomplete.has(section)),
    lines,
    throwIfAny(place) {
      if (found.length > 0) throw new ConfigError(lines(place).join('\n'), { cause });
    },
  };
}

/** What stands in a file first, by line and column; the others behind, as they came. */
function inOrderOfLines(lines: readonly string[]): string[] {
  const placed = lines.map((line) => {
    const [, row, column] = /:(\d+):(\d+): /.exec(line) ?? [];
    return { line, row: row === undefined ? Number.POSITIVE_INFINITY : Number(row), column: Number(column ?? 0) };
  });
  const isLater = (a: (typeof placed)[number], b: (typeof placed)[number]) =>
    a.row === b.row ? a.column - b.column : a.row < b.row ? -1 : 1;
  return placed.sort(isLater).map(({ line }) => line);
}
