import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  Transaction,
} from 'kysely';
import type { Queries } from './database.ts';
import type { Tables } from './tables.ts';

/** Prepared statements that are kept for the next query of the same text. */
const maxStatements = 256;

/** Kysely over `node:sqlite`. */
export function queriesOver(file: DatabaseSync): {
  /** For reading. */
  tables: Kysely<Tables>;
  /** Runs queries in a transaction, one of which may be open at a time. */
  within<Result>(run: (tables: Queries) => Promise<Result>): Promise<Result>;
} {
  const prepare = createStatements(file);
  const dialect: Dialect = {
    createDriver: () => new SqliteDriver({ database: { prepare, close: () => file.close() } }),
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (database) => new SqliteIntrospector(database),
  };
  const inTransaction = new Transaction<Tables>({
    config: { dialect },
    dialect,
    driver: dialect.createDriver(),
    executor: new TransactionExecutor(file, prepare),
  });
  return {
    tables: new Kysely<Tables>({ dialect }),
    async within(run) {
      // For writing: one that only found out at its first write that another process writes could not wait.
      prepare('begin immediate').run([]);
      try {
        const result = await run(inTransaction);
        prepare('commit').run([]);
        return result;
      } catch (error) {
        // SQLite has ended it itself after some failures.
        if (file.isTransaction) prepare('rollback').run([]);
        throw error;
      }
    },
  };
}

/**
 * Runs the queries of a transaction at once. Kysely's own takes the connection anew for each of them, in a dozen steps that come
 * to more than the query; here nobody else is there to take it.
 */
class TransactionExecutor extends DefaultQueryExecutor {
  readonly #connection: DatabaseConnection;

  constructor(file: DatabaseSync, prepare: (text: string) => Statement) {
    const connection: DatabaseConnection = {
      async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
        if (!file.isTransaction) throw new Error('a transaction was used after its end');
        const statement = prepare(sql);
        if (statement.reader) return { rows: statement.all(parameters) as Row[] };
        const { changes, lastInsertRowid } = statement.run(parameters);
        return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
      },
      // biome-ignore lint/correctness/useYield: nothing is read in pieces within a transaction
      async *streamQuery() {
        throw new Error('a transaction reads whole answers');
      },
    };
    super(new SqliteQueryCompiler(), new SqliteAdapter(), { provideConnection: (use) => use(connection) });
    this.#connection = connection;
  }

  override executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    return this.#connection.executeQuery<Row>(query);
  }
}

/** A prepared statement as Kysely takes it. */
interface Statement {
  /** Whether it gives rows. */
  reader: boolean;
  all(parameters: readonly unknown[]): unknown[];
  run(parameters: readonly unknown[]): ReturnType<StatementSync['run']>;
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>;
}

/** Prepares statements, each text once. */
function createStatements(file: DatabaseSync): (text: string) => Statement {
  const known = new Map<string, Statement>();
  const prepared = (text: string): Statement => {
    const statement = file.prepare(text);
    const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => statement.all(...values(parameters)),
      run: (parameters) => statement.run(...values(parameters)),
      iterate: (parameters) => statement.iterate(...values(parameters)),
    };
  };
  return (text) => {
    const kept = known.get(text);
    if (kept !== undefined) return kept;
    const statement = prepared(text);
    if (known.size >= maxStatements) known.delete(known.keys().next().value!);
    known.set(text, statement);
    return statement;
  };
}
