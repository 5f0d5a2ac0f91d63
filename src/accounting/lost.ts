import type { Database, Notes, Tables } from '../storage/storage.ts';
import type { Hold } from './holds.ts';

/** What is noted of a try before it is in the tables: all that a row of it needs where its process is killed. */
export function noteOf({ attempt, context, at }: Pick<Hold, 'attempt' | 'context' | 'at'>): string {
  const { principal, requestId } = context;
  const { id, provider, model, operation, index } = attempt;
  return JSON.stringify([
    id,
    at.getTime(),
    requestId,
    principal.id,
    provider.id,
    model,
    operation,
    index,
    principal.name,
  ]);
}

/** The name of a process that is no more. */
const nobody = 'ended';

/**
 * Makes rows of what a process has noted that was killed before they were in the tables. They hold nothing, as nothing of them was
 * taken from the budgets there, and are those of a process that is no more.
 */
export async function holdWhatWasNoted(database: Database, notes: Notes): Promise<void> {
  const rows = notes.left().flatMap((line) => rowOf(line) ?? []);
  for (const row of rows) {
    const { attempt_id: id } = row;
    await database.transaction(async (tables) => {
      const written = await tables.selectFrom('ledger').select('attempt_id').where('attempt_id', '=', id).execute();
      if (written.length > 0) return;
      await tables
        .insertInto('reservations')
        .values(row)
        .onConflict((conflict) => conflict.column('attempt_id').doNothing())
        .execute();
    });
  }
  if (rows.length > 0) notes.dropLeft();
}

/** Null: the line was cut. */
function rowOf(line: string): Tables['reservations'] | null {
  try {
    const [id, at, requestId, principal, provider, model, operation, index, keyName] = JSON.parse(line) as string[];
    return {
      attempt_id: id!,
      instance: nobody,
      at: BigInt(at!),
      request_id: requestId!,
      principal: principal!,
      provider: provider!,
      model: model!,
      operation: operation!,
      attempt_index: BigInt(index!),
      amount: 0n,
      key_name: keyName ?? null,
    };
  } catch {
    return null;
  }
}
