import type { FileStamp } from './file-stamp.ts';

/** Remembers why the last load of a model failed, for whoever looks at the model and not at the log. */
export interface LoadFailures {
  note(of: { id: string; filePath: string }, reason: string): void;
  /** The reason, as long as the file is the one that failed; else null. */
  reasonFor(id: string): string | null;
  /** It was loaded. */
  forget(id: string): void;
}

export function createLoadFailures(stampOf: FileStamp): LoadFailures {
  const failures = new Map<string, { filePath: string; stamp: string | null; reason: string }>();
  return {
    note({ id, filePath }, reason) {
      failures.set(id, { filePath, stamp: stampOf(filePath), reason });
    },
    reasonFor(id) {
      const failure = failures.get(id);
      if (!failure) return null;
      if (stampOf(failure.filePath) === failure.stamp) return failure.reason;
      failures.delete(id);
      return null;
    },
    forget(id) {
      failures.delete(id);
    },
  };
}
