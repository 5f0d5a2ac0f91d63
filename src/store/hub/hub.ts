import { z } from 'zod';
import type { HubHttp, HubResponse } from './hub-http.ts';
import { invalidAnswer } from './hub-http.ts';
import { isSafePath } from './resolve.ts';

/** A checksum, in lower-case hexadecimal. `git-sha1` is that of a git object, for files that are small enough for git. */
export interface FileHash {
  algorithm: 'sha256' | 'git-sha1';
  digest: string;
}

/** A file of a repository. */
export interface HubFile {
  path: string;
  sizeBytes: number;
  hash: FileHash;
}

/** A repository at one commit. */
export interface HubListing {
  repository: string;
  commit: string;
  files: HubFile[];
}

/** The hub's API, as far as pulls need it. */
export interface Hub {
  /** Every GGUF file of a repository. Rejects as `HubHttp.get` does. */
  list(repository: string, revision: string, signal: AbortSignal): Promise<HubListing>;
  /** Where a file of a commit is downloaded from. */
  fileUrl(repository: string, commit: string, path: string): URL;
}

const largestJsonBytes = 16 * 2 ** 20;
const mostPages = 32;
/** One file cannot be larger than any disk that it could go to. */
const largestFileBytes = 2 ** 43;

const commitAnswer = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const treeAnswer = z.array(
  z.object({
    type: z.string(),
    path: z.string().max(4_096),
    size: z.number().int().min(0).max(largestFileBytes).optional(),
    oid: z.string().optional(),
    lfs: z
      .object({
        oid: z.string().regex(/^[0-9a-f]{64}$/),
        size: z.number().int().min(0).max(largestFileBytes),
      })
      .nullish(),
  }),
);

/** Speaks the API of huggingface.co: `/api/models/…/revision`, `/api/models/…/tree` and `/…/resolve`. */
export function createHub(deps: { http: HubHttp; endpoint: URL }): Hub {
  const { http } = deps;
  const base = deps.endpoint.href.replace(/\/$/, '');

  async function getJson<T>(url: URL, schema: z.ZodType<T>, signal: AbortSignal) {
    const response = await http.get(url, { headers: { accept: 'application/json' }, signal });
    const result = schema.safeParse(parseJson(await readText(response)));
    if (!result.success) throw invalidAnswer('bad_json', 'The hub answered in a form that is not known.');
    return { data: result.data, link: [response.headers.link].flat().join(',') };
  }

  return {
    async list(repository, revision, signal) {
      const api = `${base}/api/models/${repository}`;
      const { data } = await getJson(new URL(`${api}/revision/${encodeURIComponent(revision)}`), commitAnswer, signal);
      const files: HubFile[] = [];
      let next: URL | null = new URL(`${api}/tree/${data.sha}?recursive=true&limit=1000`);
      for (let page = 0; next !== null; page++) {
        if (page >= mostPages) throw invalidAnswer('too_many_files', 'The repository has too many files.');
        const tree: { data: z.infer<typeof treeAnswer>; link: string } = await getJson(next, treeAnswer, signal);
        files.push(...tree.data.flatMap(toHubFile));
        next = nextPage(tree.link, next);
      }
      return { repository, commit: data.sha, files };
    },
    fileUrl: (repository, commit, path) =>
      new URL(`${base}/${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`),
  };
}

/** GGUF files only. A path that would lead out of its folder is no slip: the listing is refused as a whole. */
function toHubFile(entry: z.infer<typeof treeAnswer>[number]): HubFile[] {
  if (/(^|\/)\.\.(\/|$)|^\/|\\|\0/.test(entry.path)) {
    throw invalidAnswer('bad_path', 'The hub lists a file whose path leads out of the repository.');
  }
  if (entry.type !== 'file' || !/\.gguf$/i.test(entry.path) || !isSafePath(entry.path)) return [];
  if (entry.lfs) {
    return [
      { path: entry.path, sizeBytes: entry.lfs.size, hash: { algorithm: 'sha256' as const, digest: entry.lfs.oid } },
    ];
  }
  const { oid, size } = entry;
  if (size === undefined || oid === undefined || !/^[0-9a-f]{40}$/.test(oid)) {
    throw invalidAnswer('no_checksum', 'The hub lists a file without its size and checksum.');
  }
  return [{ path: entry.path, sizeBytes: size, hash: { algorithm: 'git-sha1' as const, digest: oid } }];
}

/** `<url>; rel="next"`; the next page is on the hub itself. */
function nextPage(link: string, current: URL): URL | null {
  const target = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link)?.[1];
  if (target === undefined) return null;
  const url = URL.canParse(target, current.href) ? new URL(target, current) : null;
  if (url?.origin !== current.origin) throw invalidAnswer('bad_link', 'The hub continues its list on another host.');
  return url;
}

async function readText(response: HubResponse): Promise<string> {
  const type = response.headers['content-type'] ?? '';
  if (!/\bjson\b/i.test(type)) {
    response.close();
    throw invalidAnswer('not_json', 'The hub answered with a page instead of data.', {
      content_type: type.slice(0, 80),
    });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.chunks()) {
    bytes += chunk.length;
    if (bytes > largestJsonBytes) throw invalidAnswer('too_large', 'The answer of the hub is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Too deep a nesting ends here as well: the parser gives up with a RangeError.
    throw invalidAnswer('bad_json', 'The hub answered with broken data.');
  }
}
