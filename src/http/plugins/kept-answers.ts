import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';

/** An answer as it went out. */
export interface KeptAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

/** What comes of a request that names a key for its repetition. */
export type Repetition =
  /** The first: its answer is to be recorded. */
  | { type: 'first'; recorder: AnswerRecorder }
  /** It was answered: this is to be given again. */
  | { type: 'again'; answer: KeptAnswer }
  /** The first is still answered. */
  | { type: 'running' }
  /** The key was given with another request. */
  | { type: 'other' };

/** Sees an answer go out. Only one that was whole is kept; `drop` after `whole` does nothing. */
export interface AnswerRecorder {
  head(status: number, headers: Readonly<Record<string, unknown>>): void;
  piece(data: string | Uint8Array): void;
  whole(): void;
  /** It failed, or nobody was there to read it: the key is free again. */
  drop(): void;
}

/** Answers that are given again to who asks for the same with the same key. In memory only: a restart forgets them. */
export interface KeptAnswers {
  /** `owner`: who asks; the keys of others are others. `request`: everything that decides what is asked for. */
  begin(owner: string, key: string, request: unknown): Repetition;
}

interface Entry {
  fingerprint: string;
  /** Null: it is still made. */
  answer: KeptAnswer | null;
  begunMs: number;
}

const maxAgeMs = 24 * 3_600_000;
const mostAnswers = 1_000;
const maxAnswerBytes = 1024 * 1024;
const maxBytes = 32 * 1024 * 1024;

export function createKeptAnswers(clock: Pick<Clock, 'monotonicMs'>): KeptAnswers {
  // In the order in which they began.
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const forget = (id: string, entry: Entry) => {
    if (entries.get(id) !== entry) return;
    entries.delete(id);
    bytes -= entry.answer?.body.length ?? 0;
  };
  /** Those that are still made stay: two of one key must never be made beside each other. */
  const trim = () => {
    const oldestMs = clock.monotonicMs() - maxAgeMs;
    for (const [id, entry] of entries) {
      const isOver = entries.size > mostAnswers || bytes > maxBytes;
      if (!isOver && entry.begunMs > oldestMs) return;
      if (entry.answer !== null) forget(id, entry);
    }
  };
  const keep = (id: string, entry: Entry, answer: KeptAnswer) => {
    if (entries.get(id) !== entry) return;
    entry.answer = answer;
    bytes += answer.body.length;
    trim();
  };

  return {
    begin(owner, key, request) {
      trim();
      const id = JSON.stringify([owner, key]);
      const fingerprint = createHash('sha256').update(JSON.stringify(request)).digest('hex');
      const known = entries.get(id);
      if (known) {
        if (known.fingerprint !== fingerprint) return { type: 'other' };
        return known.answer === null ? { type: 'running' } : { type: 'again', answer: known.answer };
      }
      const entry: Entry = { fingerprint, answer: null, begunMs: clock.monotonicMs() };
      entries.set(id, entry);
      return {
        type: 'first',
        recorder: createRecorder({
          keep: (answer) => keep(id, entry, answer),
          forget: () => forget(id, entry),
        }),
      };
    },
  };
}

function createRecorder(to: { keep: (answer: KeptAnswer) => void; forget: () => void }): AnswerRecorder {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let head: Pick<KeptAnswer, 'status' | 'headers'> | null = null;
  let isOver = false;
  const settle = (answer: KeptAnswer | null) => {
    if (isOver) return;
    isOver = true;
    pieces.length = 0;
    if (answer === null) to.forget();
    else to.keep(answer);
  };
  return {
    head(status, headers) {
      head = { status, headers: texts(headers) };
      // What failed may be tried again.
      if (status < 200 || status >= 300) settle(null);
    },
    piece(data) {
      if (isOver) return;
      const piece = typeof data === 'string' ? Buffer.from(data) : data;
      size += piece.length;
      if (size > maxAnswerBytes) settle(null);
      else pieces.push(piece);
    },
    whole: () => settle(head && { ...head, body: Buffer.concat(pieces) }),
    drop: () => settle(null),
  };
}

/** Headers that belong to one answer on one connection, and not to its repetition. */
const ofOneAnswer =
  /^(connection|content-length|date|keep-alive|request-id|transfer-encoding|x-request-id|.*ratelimit.*)$/;

function texts(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name, value]) => value !== undefined && !ofOneAnswer.test(name.toLowerCase()))
      .map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}
