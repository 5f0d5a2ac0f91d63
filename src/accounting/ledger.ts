import type { Attempt, AttemptEnd } from '../core/attempt.ts';
import { localProviderId, type Principal } from '../core/call.ts';
import { AppError } from '../core/errors.ts';
import { columnsOf, inOrder, type Queries, statementOver, type Tables } from '../storage/storage.ts';
import type { Billed } from './billing.ts';

/** A try that has ended, on its way into the ledger. */
export interface LedgerEntry {
  attempt: Pick<Attempt, 'id' | 'model' | 'operation' | 'index'> & { provider: { id: string } };
  requestId: string;
  principal: Pick<Principal, 'id' | 'name'>;
  at: Date;
  end: Pick<AttemptEnd, 'outcome' | 'error' | 'latencyMs' | 'firstContentMs' | 'answeredModel'>;
  billed: Billed;
  /** Nano-USD; null: unknown. */
  cost: bigint | null;
}

type Row = Tables['ledger'];

/** Writes rows; one that is there already, as of a try that was taken for lost, is replaced. */
export async function writeEntries(tables: Queries, entries: readonly LedgerEntry[]): Promise<void> {
  await writeRows(tables, entries.map(toRow));
}

/** Takes tries for lost whose process has ended: what they have cost is not known. */
export async function writeLost(tables: Queries, lost: readonly Tables['reservations'][]): Promise<void> {
  await writeReserved(tables, lost, { outcome: 'lost', cost: null });
}

/** Tries that went with others in a batch, to which their provider did not come: they cost nothing. */
export async function writeUnanswered(tables: Queries, unanswered: readonly Tables['reservations'][]): Promise<void> {
  await writeReserved(tables, unanswered, { outcome: 'cancelled', cost: 0n });
}

async function writeReserved(
  tables: Queries,
  reserved: readonly Tables['reservations'][],
  { outcome, cost }: Pick<Row, 'outcome' | 'cost'>,
): Promise<void> {
  const rows = reserved.map(
    ({ instance: _, amount: __, ...reservation }): Row => ({
      ...reservation,
      ...toCounts(null),
      answered_model: null,
      latency_ms: 0n,
      first_content_ms: null,
      served_tier: null,
      served_place: null,
      is_estimated: truth(cost === null),
      left_house: truth(reservation.provider !== localProviderId),
      outcome,
      error_code: null,
      cost,
    }),
  );
  await writeRows(tables, rows);
}

const columns = columnsOf<Row>({
  attempt_id: true,
  request_id: true,
  at: true,
  principal: true,
  provider: true,
  model: true,
  answered_model: true,
  operation: true,
  attempt_index: true,
  input_tokens: true,
  cache_read_tokens: true,
  cache_write_5m_tokens: true,
  cache_write_1h_tokens: true,
  output_tokens: true,
  reasoning_tokens: true,
  latency_ms: true,
  first_content_ms: true,
  served_tier: true,
  served_place: true,
  is_estimated: true,
  left_house: true,
  outcome: true,
  error_code: true,
  cost: true,
  key_name: true,
});

/** What is known when a try begins stays as it is. */
const givenColumns: readonly string[] = [
  'attempt_id',
  'request_id',
  'at',
  'principal',
  'provider',
  'model',
  'operation',
];
const laterColumns = columns.filter((name) => !givenColumns.includes(name));

const writeRows = statementOver<Row, unknown>({
  word: (tables, rows) =>
    tables
      .insertInto('ledger')
      .values(rows.map((row) => inOrder(columns, row)))
      .onConflict((conflict) =>
        conflict
          .column('attempt_id')
          .doUpdateSet((row) => Object.fromEntries(laterColumns.map((name) => [name, row.ref(`excluded.${name}`)]))),
      ),
  valuesOf: (row) => columns.map((name) => row[name]),
});

function toRow({ attempt, requestId, principal, at, end, billed, cost }: LedgerEntry): Row {
  const { usage, isEstimated } = billed;
  const isLocal = attempt.provider.id === localProviderId;
  return {
    attempt_id: attempt.id,
    request_id: requestId,
    at: BigInt(at.getTime()),
    principal: principal.id,
    key_name: principal.name,
    provider: attempt.provider.id,
    // Names such as "default" stand for another model tomorrow.
    model: isLocal ? (end.answeredModel ?? attempt.model) : attempt.model,
    answered_model: end.answeredModel,
    operation: attempt.operation,
    attempt_index: BigInt(attempt.index),
    ...toCounts(usage),
    latency_ms: whole(end.latencyMs),
    first_content_ms: end.firstContentMs === null ? null : whole(end.firstContentMs),
    served_tier: usage.servedTier,
    served_place: usage.servedPlace,
    is_estimated: truth(isEstimated),
    left_house: truth(!isLocal && !isRefusedHere(end)),
    outcome: end.outcome,
    error_code: end.error?.code ?? null,
    cost,
  };
}

/**
 * Whether a try ended before anything was sent: the provider's own code found what its service cannot take, or does not
 * have. What a service said comes with its words (`upstream`), with a code that names it, or as the cause.
 */
function isRefusedHere({ outcome, error }: Pick<AttemptEnd, 'outcome' | 'error'>): boolean {
  if (outcome !== 'failed' || error === null) return false;
  const isOfService = error.upstream !== null || error.code.startsWith('upstream_') || error.cause instanceof AppError;
  return !isOfService && (error.status < 500 || error.code === 'not_supported');
}

function toCounts(usage: Billed['usage'] | null) {
  const count = (tokens: number | null | undefined) => (tokens === null || tokens === undefined ? null : whole(tokens));
  return {
    input_tokens: count(usage?.inputTokens),
    cache_read_tokens: count(usage?.cacheReadTokens),
    cache_write_5m_tokens: count(usage?.cacheWrite5mTokens),
    cache_write_1h_tokens: count(usage?.cacheWrite1hTokens),
    output_tokens: count(usage?.outputTokens),
    reasoning_tokens: count(usage?.reasoningTokens),
  };
}

function whole(value: number): bigint {
  return BigInt(Math.round(value));
}

function truth(value: boolean): bigint {
  return value ? 1n : 0n;
}
