/**
 * One record of an event stream: an optional event name and one `data:` line per line of `data`.
 * `event` must be one line. Source: WHATWG HTML, "Server-sent events".
 */
export function sseRecord(data: string, event?: string): string {
  const name = event === undefined ? '' : `event: ${event}\n`;
  // JSON never holds a raw line break, so the usual record is one line; CR, LF and CRLF all end a line for a reader.
  const lines = /[\r\n]/.test(data) ? data.split(/\r\n|\r|\n/) : [data];
  return `${name}${lines.map((line) => `data: ${line}\n`).join('')}\n`;
}

/** A record whose data is a value as JSON. */
export function sseJson(value: unknown, event?: string): string {
  return sseRecord(JSON.stringify(value), event);
}

/** A line that every reader of an event stream ignores; keeps proxies and clients from giving up. */
export function sseComment(text: string): string {
  return `: ${text.replace(/[\r\n]+/g, ' ')}\n\n`;
}
