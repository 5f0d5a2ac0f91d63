import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLines } from './log-lines.ts';
import { textLines } from './log-text.ts';

export type { Logger };

/** Header and field names that never reach a log line, whatever logs them. */
const secretPaths = [
  'headers.authorization',
  'headers["x-api-key"]',
  'headers.cookie',
  'req.headers.authorization',
  'req.headers["x-api-key"]',
  'req.headers.cookie',
  'apiKey',
  '*.apiKey',
  'apiKeys',
  '*.apiKeys',
];

/**
 * The server's logger: lines on stderr, so that stdout stays free for what a command prints. Prompts and answers are never logged.
 * `lines`: keeps the last of them for whoever asks. `isText`: the lines are for people, else they are JSON.
 */
export function createLogger(
  level: string,
  destination?: DestinationStream,
  lines?: LogLines,
  { isText = false }: { isText?: boolean } = {},
): Logger {
  const options = { level, redact: { paths: secretPaths, censor: '[redacted]' }, base: null };
  // A person sees each line at once, also the last one before the process ends.
  const written = destination ?? pino.destination({ fd: 2, sync: isText });
  const out = isText ? textLines(written) : written;
  return pino(options, lines === undefined ? out : lines.before(out));
}
