/** What the choice looks at. */
export interface Replaceable {
  /** On disk, its record included. */
  readonly bytes: number;
  readonly prefillMs: number;
  readonly pinned: boolean;
  /** Wall time of the last save or restore. */
  readonly lastUsedMs: number;
}

/** After this long without a use a state is worth half as much. */
const halfLifeMs = 24 * 60 * 60 * 1000;

/** Milliseconds of prefill that a byte saves, less the longer nobody has used it. A clock set back makes nothing younger. */
export function valuePerByte(entry: Replaceable, nowMs: number): number {
  const ageMs = Math.max(0, nowMs - entry.lastUsedMs);
  return (entry.prefillMs / entry.bytes) * 2 ** (-ageMs / halfLifeMs);
}

/**
 * Chooses what goes so that a newcomer of `bytes` fits under `capBytes`; null when it cannot.
 * `entries`: those that may go. `usedBytes`: of all that is stored, those that may not go included.
 * The least value per byte goes first, and every pinned entry after every other. A newcomer that is not pinned itself
 * displaces pins only where they hold more than half of the cap: they must not close the vault to everyone else.
 * Pure: reads no clock and no disk.
 */
export function chooseReplaced<T extends Replaceable>(request: {
  entries: readonly T[];
  usedBytes: number;
  newcomer: { bytes: number; pinned: boolean };
  capBytes: number;
  nowMs: number;
}): T[] | null {
  const { entries, newcomer, capBytes, nowMs } = request;
  const order = entries
    .map((entry) => ({ entry, value: valuePerByte(entry, nowMs) }))
    .sort((a, b) => Number(a.entry.pinned) - Number(b.entry.pinned) || a.value - b.value);
  let usedBytes = request.usedBytes;
  let pinnedBytes = entries.reduce((sum, { pinned, bytes }) => sum + (pinned ? bytes : 0), 0);
  const chosen: T[] = [];
  for (const { entry } of order) {
    if (usedBytes + newcomer.bytes <= capBytes) break;
    if (entry.pinned) {
      if (!newcomer.pinned && pinnedBytes <= capBytes / 2) break;
      pinnedBytes -= entry.bytes;
    }
    usedBytes -= entry.bytes;
    chosen.push(entry);
  }
  return usedBytes + newcomer.bytes <= capBytes ? chosen : null;
}
