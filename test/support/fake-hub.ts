import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file at the fake hub. */
export interface FakeHubFile {
  path: string;
  bytes: Buffer;
  /** Small enough for git, so its checksum is that of a git object. */
  inGit?: boolean;
}

/** One download that reached the store of files, or the hub itself where it does not redirect. */
export interface Served {
  path: string;
  startBytes: number;
  /** Null: no range was asked for. */
  endBytes: number | null;
  host: string;
  authorization: string | null;
  /** Bytes of the body that were written so far. */
  sentBytes: number;
}

/** What goes wrong; every function left out means that nothing does. */
export interface HubFaults {
  /** Answers a request in place of the hub; true: it did. */
  onRequest?: (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;
  /** Sends the body of a download in place of the hub; `bytes`: what would be right. */
  onBody?: (response: ServerResponse, bytes: Buffer, served: Served) => void | Promise<void>;
  /** What the listing says of a file. */
  onListing?: (entry: Record<string, unknown>) => Record<string, unknown>;
  /** Headers of the redirect to the store of files, or of the answer where there is none. */
  onResolve?: (headers: Record<string, string>, file: FakeHubFile) => Record<string, string>;
  /** Where the store of files is; `location`: what would be right. */
  redirectTo?: (location: string) => string;
}

/** A hub on the loopback address that speaks the API of huggingface.co. */
export interface FakeHub {
  /** `http://127.0.0.1:PORT`. */
  endpoint: string;
  /** Name under which it is its own store of files; the test's resolver or the system leads it to 127.0.0.1. */
  cdnHost: string;
  faults: HubFaults;
  files: FakeHubFile[];
  commit: string;
  /** Repositories that a search finds beside the one with files, as the hub words them, with their files where it lists them. */
  others: { id: string; downloads: number; likes: number; gated: boolean | string; tags: string[]; files?: object[] }[];
  /** Downloads in the order in which they began. */
  served: Served[];
  /** Paths of all requests, with their queries. */
  requests: { path: string; authorization: string | null }[];
  close(): Promise<void>;
}

export const fakeRepository = 'maker/tiny-GGUF';

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Starts a hub with one repository, `maker/tiny-GGUF`. Downloads are redirected to `cdnHost`, with signed-looking URLs,
 * `X-Linked-ETag` and `X-Linked-Size`, and served there with ranges and an ETag.
 */
export async function startFakeHub(
  files: FakeHubFile[],
  options: { cdnHost?: string; redirects?: boolean; pageSize?: number } = {},
): Promise<FakeHub> {
  const { cdnHost = 'localhost', redirects = true, pageSize = 1_000 } = options;
  const server: Server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const hub: FakeHub = {
    endpoint: `http://127.0.0.1:${port}`,
    cdnHost,
    faults: {},
    files,
    commit: createHash('sha1').update('first').digest('hex'),
    others: [],
    served: [],
    requests: [],
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    hub.requests.push({ path: url.pathname + url.search, authorization: request.headers.authorization ?? null });
    if (hub.faults.onRequest?.(request, response, url)) return;
    if (url.pathname === '/api/models') return search(response, url);
    const other = hub.others.find(({ id }) => url.pathname === `/api/models/${id}/tree/${hub.commit}`);
    if (other?.files) return json(response, other.files);
    const api = `/api/models/${fakeRepository}`;
    if (url.pathname === `${api}/revision/main` || url.pathname === `${api}/revision/${hub.commit}`) {
      const known = { id: fakeRepository, sha: hub.commit, private: false, gated: false, downloads: 7, likes: 3 };
      // As the real one: whoever names fields gets only these.
      const wanted = url.searchParams.getAll('expand');
      const shown = Object.entries(known).filter(
        ([key]) => key === 'id' || wanted.length === 0 || wanted.includes(key),
      );
      return json(response, { _id: '0123456789abcdef01234567', ...Object.fromEntries(shown) });
    }
    if (url.pathname === `${api}/tree/${hub.commit}`) return sendTree(response, url);
    const prefix = `/${fakeRepository}/resolve/${hub.commit}/`;
    if (url.pathname.startsWith(prefix)) return resolveFile(request, response, url.pathname.slice(prefix.length));
    if (url.pathname.startsWith('/store/')) {
      const file = find(url.pathname.slice('/store/'.length));
      if (file) return sendFile(request, response, file, { etag: `"store-${sha256(file.bytes).slice(0, 8)}"` });
    }
    json(response, { error: 'Repository not found' }, 404);
  }

  const find = (path: string) => hub.files.find((file) => file.path === decodeURIComponent(path));

  /** By words of names, the most downloaded first, as the real one. */
  function search(response: ServerResponse, url: URL): void {
    const words = (url.searchParams.get('search') ?? '').toLowerCase().split(/\s+/);
    const own = { id: fakeRepository, downloads: 7, likes: 3, gated: false, tags: ['gguf', 'license:mit'] };
    const found = [own, ...hub.others.map(({ files: _files, ...other }) => other)]
      .filter(({ id, tags }) => tags.includes('gguf') && words.every((word) => id.toLowerCase().includes(word)))
      .sort((left, right) => right.downloads - left.downloads)
      .slice(0, Number(url.searchParams.get('limit') ?? 1_000))
      .map((repository) => ({
        ...repository,
        _id: '0123456789abcdef01234567',
        sha: hub.commit,
        private: false,
        lastModified: '2026-01-02T03:04:05.000Z',
      }));
    json(response, found);
  }

  function sendTree(response: ServerResponse, url: URL): void {
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const all = hub.files.map((file) => {
      const size = file.bytes.length;
      const gitOid = createHash('sha1').update(`blob ${size}\0`).update(file.bytes).digest('hex');
      const lfs = { oid: sha256(file.bytes), size, pointerSize: 134 };
      const entry = { type: 'file', oid: gitOid, size, path: file.path, ...(!file.inGit && { lfs }) };
      return hub.faults.onListing?.(entry) ?? entry;
    });
    const page = all.slice(from, from + pageSize);
    if (from + pageSize < all.length) {
      url.searchParams.set('cursor', String(from + pageSize));
      response.setHeader('link', `<${hub.endpoint}${url.pathname}${url.search}>; rel="next"`);
    }
    json(response, [{ type: 'directory', oid: hub.commit, size: 0, path: 'folder' }, ...page]);
  }

  function resolveFile(request: IncomingMessage, response: ServerResponse, path: string): void | Promise<void> {
    const file = find(path);
    if (!file) return json(response, { error: 'Entry not found' }, 404);
    const plain = { 'x-repo-commit': hub.commit, etag: `"${sha256(file.bytes)}"` };
    const linked = { 'x-linked-etag': `"${sha256(file.bytes)}"`, 'x-linked-size': String(file.bytes.length) };
    const usual = redirects && !file.inGit ? { ...plain, ...linked } : plain;
    const headers = hub.faults.onResolve?.(usual, file) ?? usual;
    if (!redirects || file.inGit) return sendFile(request, response, file, headers);
    const location = `http://${cdnHost}:${port}/store/${encodeURIComponent(path)}?Expires=1&Signature=abc`;
    response.writeHead(302, { ...headers, location: hub.faults.redirectTo?.(location) ?? location });
    response.end('Found. Redirecting.');
  }

  async function sendFile(
    request: IncomingMessage,
    response: ServerResponse,
    file: FakeHubFile,
    headers: Record<string, string>,
  ): Promise<void> {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(file.bytes.length, range?.[2] ? Number(range[2]) + 1 : file.bytes.length);
    const served: Served = {
      path: file.path,
      startBytes: start,
      endBytes: range ? end : null,
      host: request.headers.host ?? '',
      authorization: request.headers.authorization ?? null,
      sentBytes: 0,
    };
    hub.served.push(served);
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'content-length': end - start,
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${file.bytes.length}` }),
    });
    const bytes = file.bytes.subarray(start, end);
    if (hub.faults.onBody) return hub.faults.onBody(response, bytes, served);
    served.sentBytes = bytes.length;
    response.end(bytes);
  }

  return hub;
}

export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}
