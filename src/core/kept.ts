/** A text that the server keeps for the client that made it, until it is old. What it means only its dialect knows. */
export interface KeptText {
  id: string;
  /** Id of the principal that made it: nobody else is told that it exists. */
  owner: string;
  /** Whether a running process still works on what it stands for. */
  isOpen: boolean;
  text: string;
  /** What belongs to it and is rarely read, such as the events of an answer; null: nothing. */
  log: string | null;
}

/** Where such texts are kept. All methods may reject with `storage_unavailable`. */
export interface KeptTexts {
  /** Whether other machines keep theirs there too, and any of them may be asked for each. */
  readonly isShared: boolean;
  /** Keeps a text, or replaces the one of that id. Older ones go where there are too many or they are too large. */
  put(kept: KeptText): Promise<void>;
  /** Null: there is none of that owner, or it was too old. Being read makes it young again. */
  get(id: string, owner: string): Promise<string | null>;
  /** The log of a text; null: it has none, or there is no such text. */
  logOf(id: string, owner: string): Promise<string | null>;
  /** Whether there was one. */
  remove(id: string, owner: string): Promise<boolean>;
  /** Those that a process left open which has ended since; of several that ask, one is told of each. */
  abandoned(): Promise<KeptText[]>;
}
