/**
 * Keeps the bytes of files: drafts, and what became of them, under the ids of files. What is settled outlives a power cut; of
 * drafts whose process ended nothing is left after `sweep`. Knows nothing of what the files are. Contract: `test/contracts/stored-files.contract.ts`.
 */
export interface ByteKeeper {
  /** Writes bytes as they come and tells how many; where it or `bytes` fails, what was written goes. `draft`: a new id. */
  write(draft: string, bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /** The draft is now what `read` gives for this id, whatever that was before. */
  settle(draft: string, id: string): Promise<void>;
  /** Forgets a draft. */
  discard(draft: string): Promise<void>;
  /** The bytes from `first` up to and including `last`, in pieces. Throws `not_found` where there are none. */
  read(id: string, range: { first: number; last: number }): AsyncIterable<Uint8Array>;
  /** Forgets what is settled under this id. */
  remove(id: string): Promise<void>;
  /**
   * Forgets what ended processes left, and what has been here for a day and is known to nobody. `known`: which of some ids
   * files have.
   */
  sweep(known: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void>;
}
