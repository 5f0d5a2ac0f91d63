import { type DestinationStream, type Logger, pino } from 'pino';

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
 * The server's logger: JSON lines on stderr, so that stdout stays free for what a command prints.
 * Prompts and answers are never logged.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = { level, redact: { paths: secretPaths, censor: '[redacted]' }, base: null };
  return destination ? pino(options, destination) : pino(options, pino.destination({ fd: 2, sync: false }));
}
