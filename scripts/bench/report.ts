import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Machine, machineLine } from './machine.ts';
import type { Summary } from './statistics.ts';

/** A cell: text, a number, a summary of repetitions, or null for what was not measured. */
export type Cell = string | number | Summary | null;

/** Collects what a bench finds: tables for the terminal and everything else for the JSON file. */
export interface Report {
  /** Prints a table and keeps it. */
  table(title: string, columns: readonly string[], rows: readonly (readonly Cell[])[]): void;
  /** Prints a line and keeps it. */
  note(text: string): void;
  /** Keeps raw measurements under a name, without printing them. */
  keep(name: string, value: unknown): void;
  /** Writes the JSON file and prints where it is. */
  write(): void;
}

/** Starts a report and prints its head: bench, machine and command, so that no table stands without them. */
export function createReport(deps: {
  name: string;
  machine: Machine;
  /** The command as it can be typed again. */
  command: string;
  startedAt: Date;
  outFile: string;
  /** Load of the machine over the last minute, now. */
  load: () => number;
  print: (text: string) => void;
}): Report {
  const { name, machine, command, startedAt, outFile, load, print } = deps;
  const tables: unknown[] = [];
  const notes: string[] = [];
  const kept: Record<string, unknown> = {};
  print(`bench ${name}\n  ${machineLine(machine)}\n  ${command}\n`);
  return {
    table(title, columns, rows) {
      tables.push({ title, columns, rows });
      print(`\n${title}\n${renderTable(columns, rows)}`);
    },
    note(text) {
      notes.push(text);
      print(`note: ${text}\n`);
    },
    keep(key, value) {
      kept[key] = value;
    },
    write() {
      const file = resolve(outFile);
      mkdirSync(dirname(file), { recursive: true });
      const loadAfter = load();
      const head = { bench: name, startedAt: startedAt.toISOString(), command, machine, loadAfter };
      const content = { ...head, tables, notes, ...kept };
      writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
      print(`\nload after ${loadAfter}; written to ${outFile}\n`);
    },
  };
}

/** A table in Markdown, columns aligned, so that it can be pasted into a note as it stands. */
export function renderTable(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [columns.map(String), ...rows.map((row) => row.map(renderCell))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const draw = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? '')[column === 0 ? 'padEnd' : 'padStart'](width)).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => `${'-'.repeat(width + 1)}${column === 0 ? '-' : ':'}`).join('|')}|`;
  return [draw(lines[0]!), rule, ...lines.slice(1).map(draw), ''].join('\n');
}

/** `median (min-max)` for repetitions; three significant digits are more than these machines repeat. */
export function renderCell(cell: Cell): string {
  if (cell === null) return '-';
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return renderNumber(cell);
  if (cell.count === 1) return renderNumber(cell.median);
  return `${renderNumber(cell.median)} (${renderNumber(cell.min)}-${renderNumber(cell.max)})`;
}

function renderNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
