import type { Kysely, RawBuilder, Transaction } from 'kysely';
import type { Notes } from './notes.ts';
import type { Tables } from './tables.ts';

/** What a transaction is given, and nothing else may be awaited in it. */
export type Queries = Transaction<Tables>;

/**
 * The tables of the server, whoever keeps them. Contract: `test/contracts/storage.contract.ts`. Queries are written in what
 * SQLite and PostgreSQL have in common; sums are cast to BIGINT, as PostgreSQL makes them wider.
 */
export interface Database {
  /** For reading; what it reads is committed. */
  readonly tables: Kysely<Tables>;
  /** Whether other machines may use it too. */
  readonly isShared: boolean;
  /** Whether what is committed outlives the process. */
  readonly isKept: boolean;
  /** Lines beside the tables, for who writes them alone; null: others write them too. */
  readonly notes: Notes | null;
  /** Milliseconds since 1970 by the clock of the database, which is the same for all who share it; in a query. */
  readonly nowMs: RawBuilder<bigint>;
  /**
   * Runs queries as one: all of them or, where `run` rejects, none. In SQLite no two run at a time; in PostgreSQL rows that one
   * writes are locked for the others until its end. `run` awaits queries of its argument and nothing else.
   * `durable: false`: may be forgotten, as a whole, when the machine loses power; never when the process ends.
   */
  transaction<Result>(run: (tables: Queries) => Promise<Result>, options?: { durable?: boolean }): Promise<Result>;
  /** Waits for what was begun. */
  close(): Promise<void>;
}
