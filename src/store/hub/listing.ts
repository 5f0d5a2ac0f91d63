import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { invalidAnswer, TransientHubError } from './hub-errors.ts';
import { createHubFetch } from './hub-fetch.ts';
import type { HubFile } from './hub-file.ts';
import type { HubHttp } from './hub-http.ts';
import { isSafePath } from './pull-name.ts';

/** Lists repositories. */
export interface Listing {
  /**
   * The commit that a revision means, and every GGUF file at it. Rejects as `HubHttp.get` does, and with
   * `hub_answer_invalid` for what is not a listing.
   */
  list(repository: string, revision: string, signal: AbortSignal): Promise<{ commit: string; files: HubFile[] }>;
  /** Every GGUF file at a commit. Rejects likewise. */
  files(repository: string, commit: string, signal: AbortSignal): Promise<HubFile[]>;
}

/** One file cannot be larger than any disk that it could go to. */
const largestFileBytes = 2 ** 43;

/** The library hands on what the hub said as it came: its types are promises that nobody has checked. */
const commit = z.string().regex(/^[0-9a-f]{40}$/);
const listedEntry = z.object({
  type: z.string(),
  path: z.string().max(4_096),
  size: z.int().min(0).max(largestFileBytes).optional(),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0).max(largestFileBytes) }).nullish(),
});

/** `base`: address of the hub without a slash at its end. */
export function createListing({ http, base }: { http: HubHttp; base: string }): Listing {
  const { origin } = new URL(base);
  // Only pulls and searches need it: 10 MB that a server without them does without.
  const library = () => import('@huggingface/hub');
  const asking = (signal: AbortSignal) => ({ hubUrl: base, fetch: createHubFetch({ http, origin, signal }) });

  const files: Listing['files'] = async (repository, sha, signal) => {
    const { listFiles } = await library();
    const repo = { type: 'model', name: repository } as const;
    const found: HubFile[] = [];
    try {
      for await (const entry of listFiles({ repo, revision: sha, recursive: true, ...asking(signal) })) {
        found.push(...toHubFile(listedEntry.parse(entry)));
      }
    } catch (error) {
      throw asListingError(error, signal);
    }
    return found;
  };
  return {
    files,
    async list(repository, revision, signal) {
      const { modelInfo } = await library();
      let sha: string;
      try {
        const info = await modelInfo({ name: repository, revision, additionalFields: ['sha'], ...asking(signal) });
        sha = commit.parse(info.sha);
      } catch (error) {
        throw asListingError(error, signal);
      }
      return { commit: sha, files: await files(repository, sha, signal) };
    },
  };
}

/** GGUF files only. A path that would lead out of its folder is no slip: the listing is refused as a whole. */
function toHubFile(entry: z.output<typeof listedEntry>): HubFile[] {
  if (/(^|\/)\.\.(\/|$)|^\/|\\|\0/.test(entry.path)) {
    throw invalidAnswer('bad_path', 'The hub lists a file whose path leads out of the repository.');
  }
  if (entry.type !== 'file' || !/\.gguf$/i.test(entry.path) || !isSafePath(entry.path)) return [];
  const { path, lfs, oid, size } = entry;
  if (lfs) return [{ path, sizeBytes: lfs.size, hash: { algorithm: 'sha256', digest: lfs.oid } }];
  if (size === undefined || oid === undefined || !/^[0-9a-f]{40}$/.test(oid)) {
    throw invalidAnswer('no_checksum', 'The hub lists a file without its size and checksum.');
  }
  return [{ path, sizeBytes: size, hash: { algorithm: 'git-sha1', digest: oid } }];
}

/** Whatever else the library throws, it could not read an answer: its requests are ours and fail with our errors. */
export function asListingError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError || error instanceof TransientHubError) return error;
  // Too deep a nesting ends here as well: the parser gives up with a RangeError.
  const isBroken = error instanceof SyntaxError || error instanceof RangeError;
  return new AppError(
    'hub_answer_invalid',
    isBroken ? 'The hub answered with broken data.' : 'The hub answered in a form that is not known.',
    { details: { reason: 'bad_json' }, cause: error },
  );
}
