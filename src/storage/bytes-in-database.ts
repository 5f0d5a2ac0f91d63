import { sql } from 'kysely';
import { AppError } from '../core/errors.ts';
import type { ByteKeeper } from './byte-keeper.ts';
import type { Database } from './database.ts';

/** Of one row: a replica reads a file in as many queries. */
const portionBytes = 1024 * 1024;
/** So long parts that nobody knows stay: another replica may still be receiving the rest. */
const strayMs = 24 * 3_600_000;

/** Bytes in portions in the database, where replicas that share nothing else find them. */
export function keepInDatabase({ database, now }: { database: Database; now: () => Date }): ByteKeeper {
  const remove = async (id: string) => {
    await database.transaction((tables) => tables.deleteFrom('file_parts').where('file_id', '=', id).execute());
  };
  return {
    async write(draft, bytes) {
      let size = 0;
      try {
        let number = 0n;
        for await (const content of portions(bytes)) {
          const row = { file_id: draft, number: number++, at: BigInt(now().getTime()), content };
          await database.transaction((tables) => tables.insertInto('file_parts').values(row).execute());
          size += content.length;
        }
        return size;
      } catch (error) {
        await remove(draft).catch(() => {
          // What failed is in the error; the sweep finds the parts.
        });
        throw error;
      }
    },
    async settle(draft, id) {
      await database.transaction(async (tables) => {
        await tables.deleteFrom('file_parts').where('file_id', '=', id).execute();
        await tables.updateTable('file_parts').set({ file_id: id }).where('file_id', '=', draft).execute();
      });
    },
    discard: remove,
    async *read(id, { first, last }) {
      for (let at = first; at <= last; ) {
        const number = Math.floor(at / portionBytes);
        const row = await database.tables
          .selectFrom('file_parts')
          .select('content')
          .where('file_id', '=', id)
          .where('number', '=', BigInt(number))
          .executeTakeFirst();
        if (row === undefined) throw new AppError('not_found', 'The bytes of this file are gone.');
        const start = number * portionBytes;
        yield row.content.subarray(at - start, last - start + 1);
        at = start + portionBytes;
      }
    },
    remove,
    async sweep(known) {
      const rows = await database.tables
        .selectFrom('file_parts')
        .select(['file_id', sql<bigint>`max(at)`.as('newest')])
        .groupBy('file_id')
        .execute();
      const kept = await known(rows.map(({ file_id }) => file_id));
      const oldest = BigInt(now().getTime() - strayMs);
      for (const { file_id, newest } of rows) if (!kept.has(file_id) && newest < oldest) await remove(file_id);
    },
  };
}

/** The same bytes, cut so that all portions but the last are of one size. */
async function* portions(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let portion = Buffer.allocUnsafe(portionBytes);
  let filled = 0;
  for await (const piece of bytes) {
    for (let taken = 0; taken < piece.length; ) {
      const rest = piece.subarray(taken, taken + portionBytes - filled);
      portion.set(rest, filled);
      filled += rest.length;
      taken += rest.length;
      if (filled < portionBytes) continue;
      yield portion;
      portion = Buffer.allocUnsafe(portionBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield portion.subarray(0, filled);
}
