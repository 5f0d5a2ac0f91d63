import type { IncomingMessage } from 'node:http';

/**
 * Every value of a header, in the order in which they were sent; `name` in lower case. Node's `headers` keeps only the
 * first of a doubled `Host` or `Authorization`, and so hides that the two disagree.
 */
export function headerValues(request: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const { rawHeaders } = request;
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index]!;
    if (raw.length === name.length && raw.toLowerCase() === name) values.push(rawHeaders[index + 1]!);
  }
  return values;
}
