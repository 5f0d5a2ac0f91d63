import { statSync } from 'node:fs';

/** Changes when a file does: its size and the time of its last change; null: it is gone. */
export type FileStamp = (filePath: string) => string | null;

export const fileStamp: FileStamp = (filePath) => {
  const found = statSync(filePath, { throwIfNoEntry: false });
  return found ? `${found.size}-${found.mtimeMs}` : null;
};
