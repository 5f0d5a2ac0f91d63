import { z } from 'zod';
import { pullFile } from '../../core/pull.ts';

/** A checksum, in lower-case hexadecimal. `git-sha1` is that of a git object, for files that are small enough for git. */
export const fileHash = z.object({ algorithm: z.enum(['sha256', 'git-sha1']), digest: z.string() });

export type FileHash = z.output<typeof fileHash>;

/** A file of a repository: what is downloaded, and what it has to be. */
export const hubFile = pullFile.pick({ path: true, sizeBytes: true }).extend({ hash: fileHash });

export type HubFile = z.output<typeof hubFile>;
