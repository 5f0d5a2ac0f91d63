import type { DestinationStream } from 'pino';
import { hideSecrets, hideSecretsIn } from './hide-secrets.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A line of the log as it is told: without secrets, and never with a prompt or an answer, which no line has. */
export interface LogLine {
  /** Counts up from 1 over the life of the process. */
  sequence: number;
  time: Date;
  level: LogLevel;
  message: string;
  /** Null: it is of no request. */
  requestId: string | null;
  /** What else the line says. */
  fields: Record<string, unknown>;
}

/** Which lines are wanted. */
export interface LogFilter {
  /** The least level. */
  level?: LogLevel;
  requestId?: string;
  /** Only lines behind this one. */
  afterSequence?: number;
}

/** The last lines of the log, in memory: as many as fit, the oldest go first. */
export interface LogLines {
  /** The newest `limit` of those that are still there, oldest first. */
  recent(filter: LogFilter, limit: number): LogLine[];
  /** Those that are still there, then each as it is written, until `signal` aborts. A reader that is too slow misses the oldest. */
  follow(filter: LogFilter, signal: AbortSignal): AsyncGenerator<LogLine, void>;
  /** Texts that no line shows from now on. */
  hide(secrets: Iterable<string>): void;
  /** Ends whoever follows, as nothing more is told. */
  end(): void;
  /** Where a logger writes to: each line is kept, then handed on. */
  before(destination: DestinationStream): DestinationStream;
}

const mostLines = 2_000;
const mostCharacters = 1024 * 1024;
/** Of a text in a line: a stack of a library may be long, and the log itself has all of it. */
const longestText = 8 * 1024;

export function createLogLines(): LogLines {
  const kept: { line: LogLine; characters: number }[] = [];
  const secrets = new Set<string>();
  const readers = new Set<(line: LogLine) => void>();
  const ended = new AbortController();
  let characters = 0;
  let sequence = 0;

  function keep(written: string): void {
    const line = readLine(written, ++sequence, secrets);
    const size = Math.min(written.length, longestText);
    kept.push({ line, characters: size });
    characters += size;
    while (kept.length > mostLines || (characters > mostCharacters && kept.length > 1)) {
      characters -= kept.shift()!.characters;
    }
    for (const reader of readers) reader(line);
  }
  const keptLines = () => kept.map(({ line }) => line);

  return {
    recent: (filter, limit) =>
      keptLines()
        .filter((line) => isWanted(line, filter))
        .slice(-limit),
    async *follow(filter, signal) {
      const waiting = keptLines();
      const over = AbortSignal.any([signal, ended.signal]);
      let wake = () => {};
      const reader = (line: LogLine) => {
        waiting.push(line);
        if (waiting.length > mostLines) waiting.shift();
        wake();
      };
      const end = () => wake();
      // Before the first `yield`: what is written while the old lines are read must not be lost.
      readers.add(reader);
      over.addEventListener('abort', end);
      try {
        while (!signal.aborted) {
          const line = waiting.shift();
          if (line !== undefined) {
            if (isWanted(line, filter)) yield line;
            continue;
          }
          if (ended.signal.aborted) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        readers.delete(reader);
        over.removeEventListener('abort', end);
      }
    },
    end: () => ended.abort(),
    hide(texts) {
      for (const text of texts) secrets.add(text);
    },
    before: (destination) => ({
      write(text: string) {
        keep(text);
        destination.write(text);
      },
      // Before the process ends, whoever logs a fatal error waits until the line is out.
      flushSync() {
        if ('flushSync' in destination && typeof destination.flushSync === 'function') destination.flushSync();
      },
    }),
  };
}

function isWanted(line: LogLine, { level = 'trace', requestId, afterSequence = 0 }: LogFilter): boolean {
  if (line.sequence <= afterSequence) return false;
  if (requestId !== undefined && line.requestId !== requestId) return false;
  return logLevels.indexOf(line.level) >= logLevels.indexOf(level);
}

/** A line as pino writes it, without `secrets`. */
export function readLine(written: string, sequence: number, secrets: Iterable<string>): LogLine {
  const { level, time, msg, requestId, ...fields } = JSON.parse(written) as Record<string, unknown>;
  return {
    sequence,
    time: new Date(typeof time === 'number' ? time : 0),
    level: logLevels[Math.min(5, Math.max(0, Math.floor(Number(level) / 10) - 1))] ?? 'info',
    message: typeof msg === 'string' ? hideSecrets(msg, secrets) : '',
    requestId: typeof requestId === 'string' ? requestId : null,
    fields: shortened(hideSecretsIn(fields, secrets)) as Record<string, unknown>,
  };
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') return value.length > longestText ? `${value.slice(0, longestText)}…` : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(shortened);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shortened(item)]));
}
