import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { KeptText, KeptTexts } from '../core/kept.ts';
import { isOtherProcess } from '../files/processes.ts';

/** What is not read for `maxAgeMs` goes, and the longest unread ones beyond the number and the size of them all. */
export interface KeepLimits {
  maxAgeMs: number;
  maxTexts: number;
  /** Of all texts and logs together. */
  maxBytes: number;
}

/** Reads within this time do not count as a later use: every read would be a write. */
export const useResolutionMs = 60_000;

const tables = `
  CREATE TABLE IF NOT EXISTS kept_texts (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    used_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    -- Process that works on it; NULL: none.
    pid INTEGER,
    text TEXT NOT NULL,
    log TEXT
  );
  CREATE INDEX IF NOT EXISTS kept_texts_by_use ON kept_texts (used_ms, bytes, pid);
`;

export function createKeptTexts(
  database: DatabaseSync,
  { limits, clock }: { limits: KeepLimits; clock: Pick<Clock, 'now'> },
): KeptTexts {
  database.exec(tables);
  const insert = database.prepare('INSERT OR REPLACE INTO kept_texts VALUES (?, ?, ?, ?, ?, ?, ?)');
  const select = database.prepare('SELECT text, used_ms FROM kept_texts WHERE id = ? AND owner = ? AND used_ms >= ?');
  const selectLog = database.prepare('SELECT log FROM kept_texts WHERE id = ? AND owner = ? AND used_ms >= ?');
  const use = database.prepare('UPDATE kept_texts SET used_ms = ? WHERE id = ?');
  const remove = database.prepare('DELETE FROM kept_texts WHERE id = ? AND owner = ?');
  const removeOld = database.prepare('DELETE FROM kept_texts WHERE used_ms < ?');
  const open = database.prepare('SELECT id, owner, pid, text, log FROM kept_texts WHERE pid IS NOT NULL');
  const sum = database.prepare('SELECT count(*) AS texts, coalesce(sum(bytes), 0) AS bytes FROM kept_texts');
  const oldest = database.prepare(
    'SELECT rowid, bytes FROM kept_texts WHERE pid IS NULL ORDER BY used_ms, rowid LIMIT 100',
  );
  const removeRow = database.prepare('DELETE FROM kept_texts WHERE rowid = ?');
  const oldestUse = () => clock.now().getTime() - limits.maxAgeMs;

  const trim = () => {
    removeOld.run(oldestUse());
    const all = sum.get();
    let texts = Number(all?.['texts']);
    let bytes = Number(all?.['bytes']);
    const isOver = () => texts > limits.maxTexts || bytes > limits.maxBytes;
    for (let rows = isOver() ? oldest.all() : []; rows.length > 0; rows = isOver() ? oldest.all() : []) {
      for (const row of rows) {
        if (!isOver()) break;
        removeRow.run(row['rowid'] ?? null);
        texts--;
        bytes -= Number(row['bytes']);
      }
    }
    // Hands pages of deleted texts back to the disk, a few at a time.
    database.exec('PRAGMA incremental_vacuum(256)');
  };

  return {
    isShared: false,
    put: (kept) =>
      attempt(() => {
        const { id, owner, text, log, isOpen } = kept;
        const bytes = Buffer.byteLength(text) + (log === null ? 0 : Buffer.byteLength(log));
        if (bytes > limits.maxBytes / 4) {
          throw new AppError('storage_unavailable', 'The answer is too large to be kept.');
        }
        insert.run(id, owner, clock.now().getTime(), bytes, isOpen ? process.pid : null, text, log);
        trim();
      }),
    get: (id, owner) =>
      attempt(() => {
        const row = select.get(id, owner, oldestUse());
        if (row === undefined) return null;
        const nowMs = clock.now().getTime();
        if (nowMs - Number(row['used_ms']) > useResolutionMs) use.run(nowMs, id);
        return String(row['text']);
      }),
    logOf: (id, owner) =>
      attempt(() => {
        const log = selectLog.get(id, owner, oldestUse())?.['log'];
        return typeof log === 'string' ? log : null;
      }),
    remove: (id, owner) => attempt(() => remove.run(id, owner).changes > 0),
    abandoned: () =>
      attempt(() =>
        open.all().flatMap((row): KeptText[] => {
          if (isOtherProcess(Number(row['pid']))) return [];
          const log = typeof row['log'] === 'string' ? row['log'] : null;
          return [{ id: String(row['id']), owner: String(row['owner']), isOpen: true, text: String(row['text']), log }];
        }),
      ),
  };
}

async function attempt<Result>(act: () => Result): Promise<Result> {
  try {
    return act();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('storage_unavailable', 'What the server keeps can neither be read nor written at the moment.', {
      cause: error,
    });
  }
}
