import type { DestinationStream } from 'pino';
import { toPrintable } from '../core/printable.ts';
import { type LogLine, readLine } from './log-lines.ts';

/**
 * A line of the log for people: `2026-11-29 11:00:00 warn   memory is short  model=tiny`, in local time. Fields without a value
 * are left out, and of an error all but the first line of its message: JSON has them.
 */
export function logText({ time, level, message, requestId, fields }: Omit<LogLine, 'sequence'>): string {
  const more = { ...(requestId !== null && { request: requestId }), ...fields };
  const words = Object.entries(more).flatMap(([name, value]) => {
    const shown = withoutNulls(value);
    return isEmpty(shown) ? [] : [`  ${name}=${inWords(shown)}`];
  });
  // As Sweden writes it, which is as ISO does.
  const at = Number.isNaN(time.getTime()) ? '-' : time.toLocaleString('sv-SE');
  return `${at} ${level.padEnd(5)}  ${message}${words.join('')}`;
}

/** Takes JSON lines, as a logger writes them, and hands them on as `logText` has them. */
export function textLines(destination: DestinationStream): DestinationStream {
  return {
    write: (written: string) => destination.write(`${toPrintable(logText(readLine(written, 0, [])))}\n`),
  };
}

function inWords(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/-]+$/.test(value) ? value : JSON.stringify(value);
  // Libraries put whole reports into a message.
  if (typeof value === 'object' && value !== null && 'message' in value) {
    return JSON.stringify(String(value.message).split('\n', 1)[0]);
  }
  return JSON.stringify(value);
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withoutNulls(inner)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => !isEmpty(inner)));
}

const isEmpty = (value: unknown) =>
  value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
