/** How a request begins. */
export interface RequestHead {
  /** Absolute. */
  url: string;
  /** Beside those of the request itself; names in lower case. */
  headers: Readonly<Record<string, string>>;
}

/** Paths that are remembered: a service has a few, but for those that name something it keeps. */
const mostHeads = 256;

/**
 * Address and headers of requests, as an SDK words them, which `word` asks: once for each method and path, since it takes longer
 * for that than a request takes to be sent. Whatever differs from one request to the next is not its to say. There is a promise only
 * for those that are not known yet.
 */
export function createRequestHeads<Method extends string>(
  word: (method: Method, path: string) => Promise<RequestHead>,
): (method: Method, path: string) => RequestHead | Promise<RequestHead> {
  const heads = new Map<string, RequestHead>();
  const worded = async (method: Method, path: string, key: string): Promise<RequestHead> => {
    const head = await word(method, path);
    if (heads.size >= mostHeads) heads.clear();
    heads.set(key, head);
    return head;
  };
  return (method, path) => {
    const key = `${method} ${path}`;
    return heads.get(key) ?? worded(method, path, key);
  };
}
