import { type Compilable, type CompiledQuery, type DialectAdapter, SqliteAdapter } from 'kysely';
import type { Queries } from './database.ts';

/** Rows of one statement: each size is a text of its own that the database keeps, so there are few of them. */
const sizes = [64, 32, 16, 8, 7, 6, 5, 4, 3, 2, 1];
/**
 * What a statement over several rows changes SQLite can take back alone, and above 64 KiB it keeps what was there before in a file that
 * it makes for it, which takes as long as the rows: with ids that are spread over an index, each row is a page.
 */
const mostOfSqlite = 8;

/** How many of the rows that are left the next statement takes. */
function sizeOf(left: number, adapter: DialectAdapter): number {
  const most = adapter instanceof SqliteAdapter ? Math.min(left, mostOfSqlite) : left;
  return sizes.find((size) => size <= most)!;
}

/**
 * A statement over any number of rows that is worded once: wording it anew would take longer than running it. `word` is given
 * rows of one form, and may use nothing of them but the parameters of `valuesOf`, in that order. Many rows are several statements;
 * the function returns what all of them return.
 */
export function statementOver<Row, Result>(deps: {
  word: (tables: Queries, rows: readonly Row[]) => Compilable<Result>;
  valuesOf: (row: Row) => readonly unknown[];
}): (tables: Queries, rows: readonly Row[]) => Promise<Result[]> {
  const { word, valuesOf } = deps;
  // By the database, as they do not all speak alike.
  const known = new WeakMap<object, Map<number, CompiledQuery<Result>>>();

  const filled = (tables: Queries, rows: readonly Row[]): CompiledQuery<Result> => {
    const parameters = rows.flatMap(valuesOf);
    const { adapter } = tables.getExecutor();
    const ofDatabase = known.get(adapter) ?? new Map<number, CompiledQuery<Result>>();
    const wording = ofDatabase.get(rows.length);
    if (wording !== undefined) return { ...wording, parameters };
    const first = word(tables, rows).compile();
    if (first.parameters.length !== parameters.length || first.parameters.some((one, at) => one !== parameters[at])) {
      throw new Error('a statement does not have the values of its rows in their order');
    }
    known.set(adapter, ofDatabase.set(rows.length, first));
    return first;
  };
  return async (tables, rows) => {
    const results: Result[] = [];
    for (let first = 0; first < rows.length; ) {
      const size = sizeOf(rows.length - first, tables.getExecutor().adapter);
      const piece = rows.slice(first, first + size);
      results.push(...(await tables.executeQuery<Result>(filled(tables, piece))).rows);
      first += size;
    }
    return results;
  };
}

/** A row with its columns in this order, which is that of the parameters of an `INSERT`. */
export function inOrder<Row extends object, Name extends keyof Row>(names: readonly Name[], row: Row): Pick<Row, Name> {
  return Object.fromEntries(names.map((name) => [name, row[name]])) as Pick<Row, Name>;
}

/** The columns of a table in the order of `names`, which leaves none out. */
export function columnsOf<Row>(names: Readonly<Record<keyof Row & string, true>>): (keyof Row & string)[] {
  return Object.keys(names) as (keyof Row & string)[];
}
