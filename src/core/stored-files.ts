/** A file that the server keeps for the client that sent it, or for which it was made. */
export interface StoredFile {
  /** Matches `storedFileId`. A later file has a larger one. */
  id: string;
  /** Id of the principal that it belongs to: nobody else is told that it exists. */
  owner: string;
  /** As its client calls it; never a path here. */
  name: string;
  /** What it is for, in the words of its dialect. */
  purpose: string;
  sizeBytes: number;
  createdAt: Date;
  /** From then on it is not there any more; null: it stays until it is deleted. */
  expiresAt: Date | null;
}

/** What is said of a file when it is kept. */
export interface FileDetails {
  owner: string;
  name: string;
  purpose: string;
  /** After it was kept; null: it stays until it is deleted. */
  expiresAfterMs: number | null;
  /**
   * From `newFileId`, for whoever must be able to keep the same file again after a crash: where there is a file of this id, that
   * one stays and is told.
   */
  id?: string;
}

/** Bytes that have arrived and are not kept yet: a form says at its end what they are for. */
export interface ReceivedFile {
  sizeBytes: number;
  /** Keeps them as a file of this owner, for good when it resolves. To be called once, or `discard`. */
  keep(details: FileDetails): Promise<StoredFile>;
  /** Forgets them. Never rejects. */
  discard(): Promise<void>;
}

/** A part of a file, in bytes: from `first` up to and including `last`. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * Where files are kept. A file is there whole or not at all, also after the process was killed. All methods may throw
 * `storage_unavailable`; one owner never learns of another's files.
 */
export interface StoredFiles {
  /** Most bytes of one file. */
  readonly maxFileBytes: number;
  /**
   * Takes bytes as they come. Rejects with `payload_too_large` where they are more than a file may have, with
   * `storage_unavailable` where all files together would be too many or the disk is full, with `bytes` as they do; then
   * nothing is left of them. `maxBytes`: other than those of a client's file.
   */
  receive(bytes: AsyncIterable<Uint8Array>, maxBytes?: number): Promise<ReceivedFile>;
  /** An id that no file has. */
  newFileId(): string;
  /** Null: the owner has no such file, or it has expired. */
  get(owner: string, id: string): Promise<StoredFile | null>;
  /**
   * Files of an owner by age, and whether there are more. `after`: only those after the one of this id, which may be gone.
   * `purpose`: null for all.
   */
  list(
    owner: string,
    page: { purpose: string | null; after: string | null; limit: number; order: 'asc' | 'desc' },
  ): Promise<{ files: StoredFile[]; hasMore: boolean }>;
  /** The bytes, or a part of them. Throws `not_found` where the file was deleted meanwhile. */
  read(file: StoredFile, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Whether there was one. */
  remove(owner: string, id: string): Promise<boolean>;
}

/** Ids of files: a time in milliseconds and 128 random bits, so that their order is that of age. */
export const storedFileId = /^file-[0-9a-f]{44}$/;
