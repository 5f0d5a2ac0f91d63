/** One line of newline-delimited JSON: a value, and the line break that ends it. JSON holds no raw one itself. */
export function ndjsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
