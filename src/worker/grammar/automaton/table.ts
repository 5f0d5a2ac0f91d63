import type { CharSet } from '../gbnf/gbnf.ts';
import type { Machine, State } from './machine.ts';
import { TooLargeError } from './too-large.ts';
import type { Work } from './work.ts';

/** A machine written out: row 0 is the start. Every row can still lead to an end. */
export type Table = readonly Row[];

export interface Row {
  accepts: boolean;
  /** Sets without a character in common. */
  edges: readonly { set: CharSet; to: number }[];
}

export interface TableOptions {
  /** Characters of a text. */
  minLength: number;
  maxLength: number | null;
  /** What of a set can be written. */
  writable: (set: CharSet) => CharSet;
  maxRows: number;
  /** What it may cost. */
  work: Work;
}

/**
 * The machine's texts of a length as a table, or null when there are none. Throws `TooLargeError` over `maxRows`, or once
 * `work` is spent.
 */
export function tableOf(machine: Machine, options: TableOptions): Table | null {
  const { minLength, maxLength } = options;
  const written = machine.classes.map((set, index) => ({ index, set: options.writable(set) }));
  const usable = written.filter(({ set }) => set.length > 0);
  const counted = maxLength ?? minLength;
  const rows: { accepts: boolean; to: (number | null)[] }[] = [];
  const indexOf = new Map<number, number>();
  const waiting: { state: State; length: number; index: number }[] = [];
  const visit = (state: State, length: number): number | null => {
    if (state.isDead || (maxLength !== null && length > maxLength)) return null;
    const count = Math.min(length, counted);
    const key = count * mostStates + state.id;
    const known = indexOf.get(key);
    if (known !== undefined) return known;
    if (rows.length >= options.maxRows) throw new TooLargeError();
    const index = rows.length;
    indexOf.set(key, index);
    rows.push({ accepts: length >= minLength && machine.accepts(state), to: [] });
    waiting.push({ state, length: count, index });
    return index;
  };
  visit(machine.start, 0);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    options.work.spend(usable.length);
    const { state, length, index } = next;
    rows[index]!.to = usable.map(({ index: classIndex }) => visit(machine.next(state, classIndex), length + 1));
  }
  return smallest(
    trimmed(rows),
    usable.map(({ set }) => set),
  );
}

type PlainRow = { accepts: boolean; to: (number | null)[] };

/** Without the rows from which no end can be reached. */
function trimmed(rows: readonly PlainRow[]): PlainRow[] {
  const before = rows.map((): number[] => []);
  for (const [index, { to }] of rows.entries())
    for (const target of to) if (target !== null) before[target]!.push(index);
  const leads = new Set<number>();
  const waiting = rows.flatMap((row, index) => (row.accepts ? [index] : []));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (leads.has(next)) continue;
    leads.add(next);
    waiting.push(...before[next]!);
  }
  return rows.map((row, index) => ({
    accepts: leads.has(index) && row.accepts,
    to: row.to.map((target) => (target !== null && leads.has(target) ? target : null)),
  }));
}

/** More than a machine ever has. */
const mostStates = 2 ** 32;

/** Targets compared with each other. A table that takes more of them counts characters: its rows are different. */
const maxCompared = 1_000_000;

/** Rows that cannot be told apart are one (Moore's refinement); those that nothing leads to are left out. */
function smallest(rows: readonly PlainRow[], classes: readonly CharSet[]): Table | null {
  let groups = rows.map((row): number => (row.accepts ? 1 : 0));
  for (let count = 0, round = 0; ; round++) {
    if (round * rows.length * (classes.length + 1) > maxCompared) {
      groups = rows.map((_, index) => index);
      break;
    }
    const numbers = new Map<string, number>();
    groups = rows.map((row, index) => {
      const key = `${groups[index]},${row.to.map((target) => (target === null ? '' : groups[target])).join()}`;
      const known = numbers.get(key) ?? numbers.size;
      numbers.set(key, known);
      return known;
    });
    if (numbers.size === count) break;
    count = numbers.size;
  }
  const start = rows[0];
  if (start === undefined || (!start.accepts && start.to.every((target) => target === null))) return null;
  const indexOf = new Map<number, number>([[groups[0]!, 0]]);
  const order = [0];
  const table: Row[] = [];
  // The list grows while it is walked.
  for (const index of order) {
    const sets = new Map<number, CharSet>();
    for (const [number, target] of rows[index]!.to.entries()) {
      if (target === null) continue;
      const group = groups[target]!;
      let place = indexOf.get(group);
      if (place === undefined) {
        place = order.length;
        indexOf.set(group, place);
        order.push(target);
      }
      sets.set(place, [...(sets.get(place) ?? []), ...classes[number]!]);
    }
    table.push({
      accepts: rows[index]!.accepts,
      edges: [...sets].map(([to, set]) => ({ to, set: set.toSorted((a, b) => a[0] - b[0]) })),
    });
  }
  return table;
}
