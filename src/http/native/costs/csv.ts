type Cell = string | number | boolean | null;

/**
 * Rows as a table of RFC 4180 with their names on top. A text that a spreadsheet would take for a formula begins with an
 * apostrophe: names of models come from clients.
 */
export function toCsv<Row extends Readonly<Record<string, Cell>>>(
  names: readonly (keyof Row & string)[],
  rows: readonly Row[],
): string {
  const lines = [names.join(','), ...rows.map((row) => names.map((name) => toCell(row[name] ?? null)).join(','))];
  return `${lines.join('\r\n')}\r\n`;
}

function toCell(value: Cell): string {
  if (value === null) return '';
  // A billionth of a dollar is no `1e-9` to every spreadsheet.
  if (typeof value === 'number' && String(value).includes('e')) return value.toFixed(9);
  if (typeof value !== 'string') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
