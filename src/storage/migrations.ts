import { type Kysely, sql, type Transaction } from 'kysely';
import { AppError } from '../core/errors.ts';
import type { Tables } from './tables.ts';

/** One change of the tables. It is never edited once it was released: what is wrong is put right by the next one. */
interface Migration {
  name: string;
  /** In words that SQLite and PostgreSQL share. */
  statements: readonly string[];
  /** After those, in PostgreSQL alone. */
  ofPostgres?: readonly string[];
}

/** The width of the slices that windows of a minute, and of a day, move by. */
export const sliceMs = { minute: 1_000, day: 300_000 } as const;

/**
 * Takes from the limits of all subjects or of none, in one call: whoever takes from the same subject waits for its end, which is
 * that of the statement. `wanted`: a list of `{subject, requests, tokens, limits: {minute, minuteTokens, day}}`, by limits that
 * may be null. Returns whether all had room (`hadRoom`), the time by its clock (`nowMs`), for each subject what was taken in its
 * windows before (`used`: `{minute, minuteTokens, day}`, and when the newest slices began: `newestMinute`, `newestDay`), and where there was no room the slices of all (`slices`, oldest first).
 * `given_now`: the time for tests; null: that of the database.
 *
 * A slice counts for as long as anything of it may lie in the window, so that never more is let through than the limit.
 */
const takeFunction = `
  CREATE FUNCTION hearth_take(wanted JSONB, given_now BIGINT) RETURNS JSONB LANGUAGE plpgsql AS $hearth$
  DECLARE
    one JSONB;
    key BIGINT;
    now_ms BIGINT;
    had_room BOOLEAN := TRUE;
    used JSONB := '[]';
    minute BIGINT;
    minute_tokens BIGINT;
    day BIGINT;
    newest_minute BIGINT;
    newest_day BIGINT;
  BEGIN
    -- What is lost with the machine is a moment's takings; nobody waits for its disk.
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    -- In one order always, so that no two that wait for each other wait for ever.
    FOR key IN SELECT DISTINCT hashtextextended(item->>'subject', 7311923) AS hash
      FROM jsonb_array_elements(wanted) AS item ORDER BY hash
    LOOP
      PERFORM pg_advisory_xact_lock(key);
    END LOOP;
    now_ms := coalesce(given_now, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT);
    FOR one IN SELECT item FROM jsonb_array_elements(wanted) AS item LOOP
      SELECT coalesce(sum(taken.requests), 0), coalesce(sum(taken.tokens), 0),
          max(taken.starts_at) FILTER (WHERE taken.requests + taken.tokens > 0)
        INTO minute, minute_tokens, newest_minute
        FROM limit_takings AS taken
        WHERE taken.subject = one->>'subject' AND taken.slice_ms = 1000 AND taken.starts_at > now_ms - 61000;
      day := 0;
      newest_day := NULL;
      IF one->'limits'->>'day' IS NOT NULL THEN
        SELECT coalesce(sum(taken.requests), 0), max(taken.starts_at) FILTER (WHERE taken.requests > 0) INTO day, newest_day
          FROM limit_takings AS taken
          WHERE taken.subject = one->>'subject' AND taken.slice_ms = 300000 AND taken.starts_at > now_ms - 86700000;
      END IF;
      used := used || jsonb_build_object('minute', minute, 'minuteTokens', minute_tokens, 'day', day,
        'newestMinute', newest_minute, 'newestDay', newest_day);
      had_room := had_room
        AND coalesce(minute + (one->>'requests')::BIGINT <= (one->'limits'->>'minute')::BIGINT, TRUE)
        AND coalesce(minute_tokens + (one->>'tokens')::BIGINT <= (one->'limits'->>'minuteTokens')::BIGINT, TRUE)
        AND coalesce(day + (one->>'requests')::BIGINT <= (one->'limits'->>'day')::BIGINT, TRUE);
    END LOOP;
    IF had_room THEN
      INSERT INTO limit_takings AS taken (subject, slice_ms, starts_at, requests, tokens)
        SELECT item->>'subject', slice, now_ms - now_ms % slice, (item->>'requests')::BIGINT, (item->>'tokens')::BIGINT
        FROM jsonb_array_elements(wanted) AS item, (VALUES (1000::BIGINT), (300000::BIGINT)) AS slices(slice)
        WHERE slice = 1000 OR item->'limits'->>'day' IS NOT NULL
        ON CONFLICT (subject, slice_ms, starts_at) DO UPDATE
          SET requests = taken.requests + excluded.requests, tokens = taken.tokens + excluded.tokens;
    END IF;
    RETURN jsonb_build_object('hadRoom', had_room, 'nowMs', now_ms, 'used', used, 'slices', CASE WHEN had_room THEN '[]' ELSE (
      SELECT coalesce(jsonb_agg(jsonb_build_object('subject', taken.subject, 'sliceMs', taken.slice_ms,
          'startsAt', taken.starts_at, 'requests', taken.requests, 'tokens', taken.tokens) ORDER BY taken.starts_at), '[]')
        FROM limit_takings AS taken JOIN jsonb_array_elements(wanted) AS item ON item->>'subject' = taken.subject
        WHERE taken.starts_at > now_ms - CASE WHEN taken.slice_ms = 1000 THEN 61000 ELSE 86700000 END) END);
  END
  $hearth$`;

/** Adds to slices what was settled; waits as `hearth_take` does, so that neither waits for the other for ever. */
const settleFunction = `
  CREATE FUNCTION hearth_settle(changes JSONB) RETURNS VOID LANGUAGE plpgsql AS $hearth$
  DECLARE
    key BIGINT;
  BEGIN
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    FOR key IN SELECT DISTINCT hashtextextended(item->>'subject', 7311923) AS hash
      FROM jsonb_array_elements(changes) AS item ORDER BY hash
    LOOP
      PERFORM pg_advisory_xact_lock(key);
    END LOOP;
    UPDATE limit_takings AS taken SET
        requests = greatest(0, taken.requests + (item->>'requests')::BIGINT),
        tokens = greatest(0, taken.tokens + (item->>'tokens')::BIGINT)
      FROM jsonb_array_elements(changes) AS item
      WHERE taken.subject = item->>'subject' AND taken.slice_ms = (item->>'sliceMs')::BIGINT
        AND taken.starts_at = (item->>'startsAt')::BIGINT;
  END
  $hearth$`;

/** By number, from 1 on. */
const migrations: readonly Migration[] = [
  {
    name: 'ledger and budgets',
    statements: [
      `CREATE TABLE ledger (
        attempt_id TEXT NOT NULL PRIMARY KEY,
        request_id TEXT NOT NULL,
        at BIGINT NOT NULL,
        principal TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        answered_model TEXT,
        operation TEXT NOT NULL,
        attempt_index BIGINT NOT NULL,
        input_tokens BIGINT,
        cache_read_tokens BIGINT,
        cache_write_5m_tokens BIGINT,
        cache_write_1h_tokens BIGINT,
        output_tokens BIGINT,
        reasoning_tokens BIGINT,
        latency_ms BIGINT NOT NULL,
        first_content_ms BIGINT,
        served_tier TEXT,
        served_place TEXT,
        is_estimated BIGINT NOT NULL,
        left_house BIGINT NOT NULL,
        outcome TEXT NOT NULL,
        error_code TEXT,
        cost BIGINT
      )`,
      'CREATE INDEX ledger_by_time ON ledger (at)',
      `CREATE TABLE reservations (
        attempt_id TEXT NOT NULL PRIMARY KEY,
        instance TEXT NOT NULL,
        at BIGINT NOT NULL,
        request_id TEXT NOT NULL,
        principal TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        operation TEXT NOT NULL,
        attempt_index BIGINT NOT NULL,
        amount BIGINT NOT NULL
      )`,
      'CREATE INDEX reservations_by_instance ON reservations (instance)',
      `CREATE TABLE spending (
        scope TEXT NOT NULL,
        period TEXT NOT NULL,
        starts_at BIGINT NOT NULL,
        spent BIGINT NOT NULL,
        reserved BIGINT NOT NULL,
        PRIMARY KEY (scope, period, starts_at)
      )`,
      `CREATE TABLE budget_alerts (
        scope TEXT NOT NULL,
        period TEXT NOT NULL,
        starts_at BIGINT NOT NULL,
        level TEXT NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (scope, period, starts_at, level)
      )`,
      'CREATE TABLE instances (id TEXT NOT NULL PRIMARY KEY, pid BIGINT NOT NULL, seen_at BIGINT NOT NULL)',
    ],
  },
  {
    name: 'keys, limits, circuits and texts of replicas',
    statements: [
      'CREATE TABLE revisions (name TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL)',
      `CREATE TABLE made_keys (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        ending TEXT NOT NULL,
        rights TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT,
        revoked_at BIGINT
      )`,
      `CREATE TABLE limit_takings (
        subject TEXT NOT NULL,
        slice_ms BIGINT NOT NULL,
        starts_at BIGINT NOT NULL,
        requests BIGINT NOT NULL,
        tokens BIGINT NOT NULL,
        PRIMARY KEY (subject, slice_ms, starts_at)
      )`,
      'CREATE INDEX limit_takings_by_time ON limit_takings (slice_ms, starts_at)',
      `CREATE TABLE circuits (
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        tries_at BIGINT NOT NULL,
        revision BIGINT NOT NULL,
        probe_instance TEXT,
        probe_until BIGINT,
        PRIMARY KEY (provider, model)
      )`,
      `CREATE TABLE shared_texts (
        id TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        used_at BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        instance TEXT,
        text TEXT NOT NULL,
        log TEXT
      )`,
      'CREATE INDEX shared_texts_by_use ON shared_texts (used_at, id)',
    ],
    ofPostgres: [takeFunction, settleFunction],
  },
  {
    name: 'names of keys, and sums of days whose rows are gone',
    statements: [
      'ALTER TABLE ledger ADD COLUMN key_name TEXT',
      'ALTER TABLE reservations ADD COLUMN key_name TEXT',
      `CREATE TABLE ledger_days (
        day BIGINT NOT NULL,
        principal TEXT NOT NULL,
        key_name TEXT,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        left_house BIGINT NOT NULL,
        cost BIGINT NOT NULL,
        unknown_costs BIGINT NOT NULL,
        attempts BIGINT NOT NULL,
        prompt_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        PRIMARY KEY (day, principal, provider, model, left_house)
      )`,
    ],
  },
  {
    name: 'files of clients',
    statements: [
      `CREATE TABLE files (
        id TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        purpose TEXT NOT NULL,
        bytes BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT
      )`,
      'CREATE INDEX files_by_owner ON files (owner, id)',
      'CREATE INDEX files_by_expiry ON files (expires_at)',
      // SQLite knows no BYTEA and keeps bytes as they come.
      `CREATE TABLE file_parts (
        file_id TEXT NOT NULL,
        number BIGINT NOT NULL,
        at BIGINT NOT NULL,
        content BYTEA NOT NULL,
        PRIMARY KEY (file_id, number)
      )`,
    ],
  },
  {
    name: 'batches',
    statements: [
      `CREATE TABLE batches (
        id TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        rights TEXT NOT NULL,
        api TEXT NOT NULL,
        path TEXT NOT NULL,
        headers TEXT NOT NULL,
        state TEXT NOT NULL,
        closing TEXT,
        total BIGINT NOT NULL,
        succeeded BIGINT NOT NULL,
        errored BIGINT NOT NULL,
        canceled BIGINT NOT NULL,
        expired BIGINT NOT NULL,
        input_tokens BIGINT NOT NULL,
        cached_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        reasoning_tokens BIGINT NOT NULL,
        models TEXT NOT NULL,
        notes TEXT,
        created_at BIGINT NOT NULL,
        started_at BIGINT,
        expires_at BIGINT NOT NULL,
        cancelled_at BIGINT,
        ended_at BIGINT,
        finished_at BIGINT,
        archived_at BIGINT,
        idempotency_key TEXT,
        fingerprint TEXT,
        lease_owner TEXT,
        lease_until BIGINT
      )`,
      'CREATE INDEX batches_by_owner ON batches (owner, created_at)',
      'CREATE UNIQUE INDEX batches_by_key ON batches (owner, idempotency_key)',
      'CREATE INDEX batches_by_state ON batches (state)',
      `CREATE TABLE batch_items (
        batch_id TEXT NOT NULL,
        position BIGINT NOT NULL,
        custom_id TEXT NOT NULL,
        body TEXT NOT NULL,
        model TEXT NOT NULL,
        prefix TEXT NOT NULL,
        queued_at BIGINT NOT NULL,
        not_before BIGINT NOT NULL,
        attempts BIGINT NOT NULL,
        state TEXT NOT NULL,
        lease_owner TEXT,
        lease_until BIGINT,
        request_id TEXT,
        status BIGINT,
        result TEXT,
        ended_at BIGINT,
        PRIMARY KEY (batch_id, position)
      )`,
      'CREATE INDEX batch_items_by_age ON batch_items (state, queued_at)',
      'CREATE INDEX batch_items_by_prefix ON batch_items (state, model, prefix, queued_at)',
    ],
  },
  {
    name: 'webhooks of batches',
    statements: [
      `CREATE TABLE webhooks (
        id TEXT NOT NULL PRIMARY KEY,
        batch_id TEXT NOT NULL,
        url TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        not_before BIGINT NOT NULL,
        lease_owner TEXT,
        lease_until BIGINT
      )`,
      'CREATE INDEX webhooks_by_batch ON webhooks (batch_id)',
    ],
  },
  {
    name: 'batches of providers',
    statements: [
      "ALTER TABLE batch_items ADD COLUMN lane TEXT NOT NULL DEFAULT 'here'",
      'ALTER TABLE batch_items ADD COLUMN spilled BIGINT NOT NULL DEFAULT 0',
      'ALTER TABLE batch_items ADD COLUMN provider_batch TEXT',
      'CREATE INDEX batch_items_by_lane ON batch_items (state, lane, queued_at)',
      'CREATE INDEX batch_items_by_end ON batch_items (ended_at, lane, spilled, state)',
      `CREATE TABLE provider_batches (
        id TEXT NOT NULL PRIMARY KEY,
        batch_id TEXT NOT NULL,
        state TEXT NOT NULL,
        provider TEXT,
        model TEXT,
        upstream_id TEXT,
        is_certain BIGINT NOT NULL,
        others TEXT NOT NULL,
        items BIGINT NOT NULL,
        estimate BIGINT,
        sent_at BIGINT,
        cancelled_at BIGINT,
        polls BIGINT NOT NULL,
        next_at BIGINT NOT NULL,
        lease_owner TEXT,
        lease_until BIGINT
      )`,
      'CREATE INDEX provider_batches_by_time ON provider_batches (next_at)',
      'CREATE INDEX provider_batches_by_batch ON provider_batches (batch_id)',
    ],
  },
];

/**
 * Brings the tables to the newest form, each migration in a transaction of its own, so that a server which is killed goes on
 * where it was. Throws `storage_unavailable` for a database of a newer server. `alone`: keeps other processes out.
 */
export async function migrate(
  transaction: <Result>(run: (tables: Transaction<Tables>) => Promise<Result>) => Promise<Result>,
  options: {
    dialect: 'sqlite' | 'postgres';
    now: () => Date;
    alone?: (tables: Transaction<Tables>) => Promise<void>;
  },
): Promise<void> {
  const { dialect, now, alone = async () => {} } = options;
  await transaction(async (tables) => {
    await alone(tables);
    await execute(
      tables,
      `CREATE TABLE IF NOT EXISTS schema_migrations (
        number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL
      )`,
    );
  });
  for (const [index, { name, statements, ofPostgres = [] }] of migrations.entries()) {
    const own = dialect === 'postgres' ? ofPostgres : [];
    await transaction(async (tables) => {
      await alone(tables);
      const newest = await newestOf(tables);
      if (newest > migrations.length) {
        throw new AppError('storage_unavailable', 'The database was written by a newer version of this server.');
      }
      if (newest > index) return;
      for (const statement of [...statements, ...own]) await execute(tables, statement);
      const row = { number: BigInt(index + 1), name, applied_at: BigInt(now().getTime()) };
      await tables.insertInto('schema_migrations').values(row).execute();
    });
  }
}

async function newestOf(tables: Kysely<Tables>): Promise<number> {
  const row = await tables
    .selectFrom('schema_migrations')
    .select(({ fn }) => fn.max('number').as('newest'))
    .executeTakeFirst();
  return Number(row?.newest ?? 0n);
}

async function execute(tables: Kysely<Tables>, statement: string): Promise<void> {
  await sql.raw(statement).execute(tables);
}
