import { join } from 'node:path';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Tables } from '../../src/storage/storage.ts';
import type { GatewayServer } from './gateway-server.ts';

/** What the books of a server say, read from its file beside it. */
export interface Books {
  /** The ledger, oldest first. */
  entries(): Promise<Tables['ledger'][]>;
  reservations(): Promise<Tables['reservations'][]>;
  /** Of all together, in each period. */
  spending(): Promise<Tables['spending'][]>;
  close(): Promise<void>;
}

export async function booksOf({ dataFolder }: Pick<GatewayServer, 'dataFolder'>): Promise<Books> {
  const database = await openSqlite(join(dataFolder, 'hearth.sqlite'), { now: () => new Date() });
  const { tables } = database;
  return {
    entries: () => tables.selectFrom('ledger').selectAll().orderBy('at').orderBy('attempt_id').execute(),
    reservations: () => tables.selectFrom('reservations').selectAll().execute(),
    spending: () => tables.selectFrom('spending').selectAll().where('scope', '=', '').execute(),
    close: () => database.close(),
  };
}
