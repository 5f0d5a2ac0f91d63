/** Bytes and durations from what people and clients write; `format-units.ts` writes them. */

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kb: 1e3,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 1e6,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 1e9,
  gib: 2 ** 30,
  t: 2 ** 40,
  tb: 1e12,
  tib: 2 ** 40,
};

const durationUnitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3_600e3,
  d: 86_400e3,
};

/** Ten thousand days: longer waits are typing errors, "for ever" has its own value. */
const longestMs = 10_000 * 86_400e3;

/**
 * Bytes from a whole number or a text such as `4MiB`, `2GB`, `512m`. `kB`, `MB`, `GB` count in thousands; `KiB`,
 * `MiB`, `GiB` and the bare letters in 1,024. Throws `RangeError` with a sentence for the person who wrote it.
 */
export function parseBytes(value: unknown): number {
  const match = /^(\d{1,16}(?:\.\d{1,6})?)\s?([a-z]{0,3})$/i.exec(asText(value).trim());
  const unit = match && byteUnits[match[2]!.toLowerCase()];
  const bytes = match && unit ? Math.round(Number(match[1]) * unit) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(`must be a number of bytes or a size such as 512MiB or 4GB, not ${shown(value)}`);
  }
  return bytes;
}

/**
 * Milliseconds from a number of seconds or a text such as `300`, `90s`, `5m`, `1h30m`, `500ms`. A negative value means
 * for ever and gives `Infinity` where `allowForever` is set. Throws `RangeError`.
 */
export function parseDurationMs(value: unknown, options: { allowForever?: boolean } = {}): number {
  const text = asText(value).trim();
  const negative = text.startsWith('-');
  const ms = parsePositiveDurationMs(negative ? text.slice(1) : text);
  if (Number.isNaN(ms) || ms > longestMs || (negative && ms > 0 && !options.allowForever)) {
    const forever = options.allowForever ? ' (-1: for ever)' : '';
    throw new RangeError(`must be seconds or a duration such as 30s, 5m or 1h30m${forever}, not ${shown(value)}`);
  }
  return negative && ms > 0 ? Number.POSITIVE_INFINITY : ms;
}

/** A hundred years: a longer time to wait is for ever, and no date can be reckoned from it. */
export const longestDurationMs = 100 * 365 * 86_400_000;

/**
 * Milliseconds from a text in Go's duration syntax, as Ollama's clients send it: `5m`, `1h30m`, `-1s`, `300ms`, `10us`;
 * a bare number is seconds. Null for another text, of any length.
 */
export function parseGoDurationMs(text: string): number | null {
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const body = text.replace(/^[+-]/, '');
  // Every part is anchored by its own unit, so this cannot backtrack.
  if (!/^(\d+(\.\d+)?(h|ms|us|µs|ns|m|s))+$/.test(body)) return null;
  return (text.startsWith('-') ? -1 : 1) * sumOfPartsMs(body);
}

/**
 * Hours of the day from a text such as `01:00-06:00`, in minutes since midnight; the end may lie on the next day.
 * Throws `RangeError`.
 */
export function parseDailyHours(value: unknown): { startMinute: number; endMinute: number } {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)\s?-\s?([01]?\d|2[0-3]):([0-5]\d)$/.exec(asText(value).trim());
  const [startHour = 0, startMinute = 0, endHour = 0, endMinute = 0] = (match ?? []).slice(1).map(Number);
  const hours = { startMinute: startHour * 60 + startMinute, endMinute: endHour * 60 + endMinute };
  if (match && hours.startMinute !== hours.endMinute) return hours;
  throw new RangeError(`must be hours of the day such as 01:00-06:00, not ${shown(value)}`);
}

function parsePositiveDurationMs(text: string): number {
  if (/^\d{1,12}(\.\d{1,6})?$/.test(text)) return Math.round(Number(text) * 1_000);
  if (!/^(\d{1,12}(\.\d{1,6})?(ms|[smhd])){1,5}$/i.test(text)) return Number.NaN;
  return Math.round(sumOfPartsMs(text));
}

function sumOfPartsMs(text: string): number {
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|[smhd])/gi)) {
    totalMs += Number(amount) * durationUnitsMs[unit!.toLowerCase()]!;
  }
  return totalMs;
}

function asText(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.length <= 64 ? value : '';
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : `a ${value === null ? 'null' : typeof value}`;
}
