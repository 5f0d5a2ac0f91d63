import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import type { PoolClient } from 'pg';
import { ConfigError } from '../config/config-error.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database, Queries } from './database.ts';
import { migrate } from './migrations.ts';
import type { Tables } from './tables.ts';

/** The type of PostgreSQL that all our numbers have. */
const bigintType = 20;
/** Any number that no one else takes: who migrates holds this lock. */
const migrationLock = 7_311_923;
const oldestVersion = 14;
const maxConnections = 10;
/** How long a connection, its own or a free one, may take. */
const connectMs = 5_000;
/** No query of ours takes so long; one that does waits for somebody who is not there. */
const queryMs = 15_000;
/** A transaction whose replica went silent in its middle gives up its locks after so long. */
const silentTransactionMs = 10_000;
/** While the database is away it is asked so often whether it is back. */
const retryMs = 1_000;

/** What openPostgres needs. */
export interface PostgresDeps {
  clock: Pick<Clock, 'now' | 'after'>;
  log: Pick<Logger, 'warn'>;
}

/**
 * Opens a database of PostgreSQL 14 or later by its URL, and brings its tables to the newest form. Throws `ConfigError` for one
 * that does not answer, refuses this server or is too old, and `storage_unavailable` for one of a newer server.
 *
 * Where it goes away later, queries fail at once with `storage_unavailable` until it is back, which is looked for again and
 * again: nobody waits for a connection that cannot be made.
 */
export async function openPostgres(url: string, { clock, log }: PostgresDeps): Promise<Database> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'hearth',
    max: maxConnections,
    connectionTimeoutMillis: connectMs,
    query_timeout: queryMs,
    idle_in_transaction_session_timeout: silentTransactionMs,
    keepAlive: true,
    types: {
      getTypeParser: ((type: number, format?: 'text') =>
        type === bigintType ? BigInt : pg.types.getTypeParser(type, format)) as typeof pg.types.getTypeParser,
    },
  });
  const guarded = guardPool(
    {
      connect: () => pool.connect(),
      end: () => pool.end(),
      async isThere() {
        const client = new pg.Client({
          connectionString: url,
          connectionTimeoutMillis: connectMs,
          query_timeout: connectMs,
        });
        client.on('error', () => {});
        try {
          await client.connect();
          await client.query('SELECT 1');
          return true;
        } catch {
          // Whoever asked it is told why.
          return false;
        } finally {
          client.end().catch(() => {});
        }
      },
    },
    { clock, log },
  );
  // A connection that breaks while nobody uses it; whoever asks next gets another one.
  pool.on('error', (err) => log.warn({ err }, 'a connection to the database broke'));
  const tables = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded }) });
  const database: Database = {
    tables,
    isShared: true,
    isKept: true,
    notes: null,
    nowMs: sql<bigint>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`,
    transaction: <Result>(run: (tables: Queries) => Promise<Result>, { durable = true } = {}) =>
      tables.transaction().execute(async (queries) => {
        if (!durable) await sql`SET LOCAL synchronous_commit TO OFF`.execute(queries);
        return run(queries);
      }),
    close: () => tables.destroy(),
  };
  try {
    await assertNewEnough(tables);
    await migrate(database.transaction, {
      dialect: 'postgres',
      now: () => clock.now(),
      alone: async (queries) => {
        await sql`SELECT pg_advisory_xact_lock(${migrationLock})`.execute(queries);
      },
    });
    return database;
  } catch (error) {
    await tables.destroy();
    throw startProblem(error, url);
  }
}

async function assertNewEnough(tables: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ version: string }>`SELECT current_setting('server_version_num') AS version`.execute(
    tables,
  );
  // 150018 is 15.18.
  const major = Math.floor(Number(rows[0]?.version) / 10_000);
  if (major >= oldestVersion) return;
  throw new ConfigError(`storage.url: the database is PostgreSQL ${major}; ${oldestVersion} or later is needed`);
}

/** What an operator can do about a database that cannot be used at the start. Its address is named without name and password. */
function startProblem(error: unknown, url: string): unknown {
  if (error instanceof ConfigError) return error;
  const cause = error instanceof AppError ? error.cause : error;
  if (error instanceof AppError && !(cause instanceof Error)) return error;
  const place = `the database at ${placeOf(url)}`;
  const why = cause instanceof Error && cause.message !== '' ? cause.message : codeOf(cause);
  const isRefusal = /^(28|3D|42|53|57)/.test(codeOf(cause));
  return new ConfigError(`storage.url: ${place} ${isRefusal ? 'refuses this server' : 'does not answer'}: ${why}`, {
    cause,
  });
}

function placeOf(url: string): string {
  const { hostname, port, searchParams } = new URL(url);
  return `${hostname || searchParams.get('host')}:${port || searchParams.get('port') || 5432}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

interface Connections {
  connect(): Promise<PoolClient>;
  end(): Promise<void>;
  /** Whether the database answers, by a connection of its own. */
  isThere(): Promise<boolean>;
}

/** A pool that refuses at once while the database is away, and gives no connection back that is broken. */
function guardPool({ connect, end, isThere }: Connections, { clock, log }: PostgresDeps): PostgresPool {
  let isAway = false;
  let isClosed = false;
  let isLooking = false;
  let timer: Timer | null = null;

  const look = async (): Promise<void> => {
    if (isLooking || isClosed) return;
    isLooking = true;
    const isBack = await isThere();
    isLooking = false;
    if (isBack === isAway) {
      isAway = !isBack;
      log.warn({}, isBack ? 'the database is back' : 'the database is away; local models go on');
    }
    if (isAway && !isClosed) timer = clock.after(retryMs, () => void look());
  };
  const unavailable = (cause?: unknown) =>
    new AppError('storage_unavailable', 'The database does not answer at the moment.', { cause });

  return {
    options: {},
    async connect() {
      if (isAway) throw unavailable();
      try {
        return guardClient(await connect(), () => void look());
      } catch (error) {
        void look();
        throw unavailable(error);
      }
    },
    async end() {
      isClosed = true;
      timer?.cancel();
      await end();
    },
  };
}

function guardClient(client: PoolClient, onBroken: () => void): PostgresPoolClient {
  let broken: Error | null = null;
  // One that breaks between two queries of a transaction says so to nobody else, and would end the process.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on('error', onError);
  const guarded = {
    async query(text: string, parameters: readonly unknown[]) {
      try {
        return await client.query(text, [...parameters]);
      } catch (error) {
        if (!isBroken(error)) throw error;
        broken = error;
        onBroken();
        throw new AppError('storage_unavailable', 'The connection to the database broke.', { cause: error });
      }
    },
    release(destroy?: boolean) {
      client.off('error', onError);
      client.release(broken ?? destroy);
    },
  };
  // Cursors are never asked for.
  return guarded as unknown as PostgresPoolClient;
}

/** Whether an error is one of the connection, and not of its query: those of PostgreSQL have a code of five characters. */
function isBroken(error: unknown): error is Error {
  const code = codeOf(error);
  // 08: connection; 57P: shut down by an administrator, crashed, not taking connections; 25P03: idle in a transaction.
  return error instanceof Error && (!/^[0-9A-Z]{5}$/.test(code) || /^(08|57P|25P03)/.test(code));
}
