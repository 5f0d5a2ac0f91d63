import { AppError } from '../../core/errors.ts';

/** What the address of a page or a download says, with the text of a quantization still at its end. */
interface PullAddress {
  /** `org/repo`, and behind it the path to a file, if one is named. */
  path: string;
  /** Branch, tag or commit of a page; null: it names none. */
  revision: string | null;
  /** The page of a folder: files outside do not count. */
  folder: string | null;
}

const hubHosts = ['hf.co', 'www.hf.co', 'huggingface.co', 'www.huggingface.co'];
/** What stands between a repository and a revision in the hub's addresses. */
const filePages = ['blob', 'resolve', 'raw', 'blame', 'edit'];
/** What else the hub keeps than models. */
const otherKinds = ['datasets', 'spaces', 'collections', 'papers', 'docs', 'api'];
const pagePath = new RegExp(`^[^/]+/[^/]+/(?:tree|${filePages.join('|')})/`);

/**
 * Takes an address apart as people copy it from a browser: of a repository, a folder, a file's page or its download, of
 * huggingface.co or of the configured hub, with or without `https://`; and the same without a host. Other texts come
 * back as they are. Throws `invalid_request` for addresses of other hosts.
 */
export function parsePullAddress(text: string, endpoint: URL): PullAddress {
  const bare = text.replace(/^hf:/i, '');
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(bare);
  const isHub = hubHosts.some((host) => bare.toLowerCase().startsWith(`${host}/`));
  if (!hasScheme && !isHub) {
    // The path of an address without its host still has its signs; a name of its own stays as it is.
    if (!pagePath.test(bare)) return { path: bare, revision: null, folder: null };
    return fromSegments(bare.split('?', 1)[0]!.split('/').map(decodeSegment));
  }
  const address = hasScheme ? bare : `https://${bare}`;
  if (!/^https?:/i.test(address) || !URL.canParse(address)) throw invalidAddress('it is no address of the hub');
  const url = new URL(address);
  const isEndpoint = url.host === endpoint.host;
  if (!isEndpoint && !hubHosts.includes(url.hostname)) {
    throw invalidAddress(
      `only addresses of ${[...new Set([endpoint.hostname, 'huggingface.co'])].join(' and ')} can be pulled`,
    );
  }
  const base = isEndpoint ? endpoint.pathname.replace(/\/$/, '') : '';
  const ownPath = url.pathname.startsWith(`${base}/`) ? url.pathname.slice(base.length) : url.pathname;
  const segments = ownPath
    .replace(/^\/|\/$/g, '')
    .split('/')
    .map(decodeSegment);
  if (otherKinds.includes(segments[0]!)) throw invalidAddress(`an address under /${segments[0]} is that of no model`);
  // The page of a repository shows one of its files so.
  const shown = url.searchParams.get('show_file_info');
  if (shown !== null && segments.length === 2) segments.push(...shown.split('/'));
  return fromSegments(segments);
}

function fromSegments(segments: readonly string[]): PullAddress {
  const [owner, repository, page, ...rest] = segments;
  const asItIs = { path: segments.join('/'), revision: null, folder: null };
  if (page === undefined) return asItIs;
  const isTree = page === 'tree' && rest.length > 0;
  // A folder may be called like a page; then the file lies in it, and no revision stands before it.
  const isFile = filePages.includes(page) && rest.length > 1;
  if (!isTree && !isFile) return asItIs;
  // Pull requests and conversions: `refs/pr/1`.
  const length = rest[0] === 'refs' && rest.length > 2 ? 3 : 1;
  const revision = rest.slice(0, length).join('/');
  const inside = rest.slice(length);
  if (isTree) {
    const folder = inside.join('/');
    return { path: `${owner}/${repository}`, revision, folder: folder === '' ? null : folder };
  }
  return { path: `${owner}/${repository}/${inside.join('/')}`, revision, folder: null };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalidAddress('its address is not encoded as addresses are');
  }
}

function invalidAddress(problem: string): AppError {
  return new AppError('invalid_request', `This name cannot be pulled: ${problem}.`, {
    field: 'name',
    fix: 'Use a name of the catalogue, hf.co/org/repo:q4_k_m, hf:org/repo:q4_k_m or org/repo/file.gguf.',
  });
}
