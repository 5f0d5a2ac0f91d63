import { createParser } from 'eventsource-parser';
import { AppError } from '../../core/errors.ts';
import type { ProviderEvent, StreamEvent } from '../../core/events.ts';
import { createAlikeRecords } from '../../wire/alike-records.ts';
import type { AnswerReading, Heard } from '../../wire/answer-events.ts';
import { createSseRecords } from '../../wire/sse-records.ts';
import { type ClientAnswer, createGathering } from './client.ts';
import { type FailureDeps, toldHeaders, unreadable } from './errors.ts';
import type { AnswerReader } from './reader.ts';

/** Most that one record of a stream may hold, in bytes: an image in base64 has room. */
export const maxRecordBytes = 32 * 1024 * 1024;
const maxWholeBytes = 256 * 1024 * 1024;

const decoder = new TextDecoder();

/** What becomes of the bytes of an answer beside what is understood of them. */
export interface AnswerPassing {
  /** Whether they pass to the client. */
  isRelayed: boolean;
  /** What of a record the client would see had it asked itself; null: nothing. `json`: what the record holds. */
  passed(record: Uint8Array, json: unknown): Uint8Array | null;
  /** The record that ends the streams of the endpoint, for an answer that is whole and came without; left out: they have none. */
  endRecord?: Uint8Array;
}

/**
 * Reads an answer as it comes, as a stream or in one piece: the events that `reader` understands, with the bytes where they are
 * relayed. Bytes pass in whole records, and a record that tells of a failure does not: the error has it, as nobody may
 * see it where another provider is asked then.
 */
export function readingOf(
  answer: Pick<ClientAnswer, 'status' | 'headers'>,
  reader: AnswerReader,
  passing: AnswerPassing,
  deps: FailureDeps,
): AnswerReading<ProviderEvent> {
  const isStream = /text\/event-stream/i.test(answer.headers['content-type'] ?? '');
  return (isStream ? readingOfStream : readingOfWhole)(answer, reader, passing, deps);
}

function readingOfWhole(
  { status, headers }: Pick<ClientAnswer, 'status' | 'headers'>,
  reader: AnswerReader,
  { isRelayed }: AnswerPassing,
  deps: FailureDeps,
): AnswerReading<ProviderEvent> {
  const gathered = createGathering(maxWholeBytes, deps.provider);
  return {
    push(piece) {
      gathered.push(piece);
      return nothing;
    },
    end() {
      const bytes = gathered.all();
      const text = decoder.decode(bytes);
      const json = parsed(text);
      if (json === undefined) throw unreadable({ status, headers, text }, deps);
      const heard = [...reader.read(json), ...reader.end(true)];
      if (!isRelayed) return { events: heard };
      return { events: [headOf(status, headers, 'application/json'), { type: 'relay', bytes, heard }] };
    },
  };
}

const nothing: Heard<ProviderEvent> = { events: [] };

function headOf(status: number, headers: Readonly<Record<string, string>>, type: string): ProviderEvent {
  return { type: 'relay-head', status, headers: { ...toldHeaders(headers), 'content-type': type } };
}

function readingOfStream(
  { status, headers }: Pick<ClientAnswer, 'status' | 'headers'>,
  reader: AnswerReader,
  passing: AnswerPassing,
  deps: FailureDeps,
): AnswerReading<ProviderEvent> {
  const { isRelayed } = passing;
  const records = createSseRecords(maxRecordBytes);
  const data = createDataReader();
  const alike = createAlikeRecords();
  /** What the record says to which others are compared. */
  let last: unknown = null;
  /** One record: what passes of it. `heard` gets what it says. */
  const read = (record: Uint8Array, heard: StreamEvent[]): { shown: Uint8Array | null; isWhole: boolean } => {
    const same = reader.again === undefined ? null : alike.textOf(record);
    if (same !== null) {
      heard.push(...reader.again!(same));
      return { shown: passing.passed(record, last), isWhole: false };
    }
    const text = data.read(record);
    if (text === '[DONE]') {
      heard.push(...reader.end(true));
      return { shown: record, isWhole: true };
    }
    const json = text === null ? null : parsed(text);
    if (json === undefined) throw unreadable({ status: 200, headers: {}, text: text! }, deps);
    if (json === null) return { shown: record, isWhole: false };
    heard.push(...reader.read(json));
    const value = reader.onlyText?.(json) ?? null;
    if (value !== null) {
      last = json;
      alike.learn(record, decoder.decode(record), { key: 'content', value });
    }
    // Whatever becomes of the connection then, the answer is whole.
    const isWhole = reader.isOver?.() ?? false;
    if (isWhole) heard.push(...reader.end(true));
    return { shown: passing.passed(record, json), isWhole };
  };
  /** Several records of one piece pass as one. */
  const passedWith = (passed: readonly Uint8Array[], heard: StreamEvent[]): readonly ProviderEvent[] => {
    if (!isRelayed || passed.length === 0) return heard;
    return [{ type: 'relay', bytes: passed.length === 1 ? passed[0]! : Buffer.concat(passed), heard }];
  };
  return {
    first: isRelayed ? [headOf(status, headers, headers['content-type'] ?? '')] : [],
    push(bytes) {
      const passed: Uint8Array[] = [];
      const heard: StreamEvent[] = [];
      for (const record of inRecords(() => records.push(bytes), deps)) {
        try {
          const { shown, isWhole } = read(record, heard);
          if (shown !== null) passed.push(shown);
          if (isWhole) return { events: passedWith(passed, heard), isWhole };
        } catch (error) {
          return { events: passedWith(passed, heard), failure: isRelayed ? withRecord(error, record) : error };
        }
      }
      return { events: passedWith(passed, heard) };
    },
    end() {
      // A last record whose empty line never came is whole all the same where it can be read.
      const last = Buffer.concat([records.rest(), Buffer.from('\n\n')]);
      const text = data.read(last);
      const json = text === null || text === '[DONE]' ? null : parsed(text);
      const isWhole = text === '[DONE]' || (json ?? null) !== null;
      const heard = [...(isWhole && json !== null ? reader.read(json) : []), ...reader.end(text === '[DONE]')];
      const shown = isWhole ? passing.passed(last, json) : null;
      const passed = shown === null ? [] : [shown];
      if (passing.endRecord && text !== '[DONE]') passed.push(passing.endRecord);
      return { events: passedWith(passed, heard) };
    },
  };
}

/** The failure with the record that told of it, where that is one of the dialect. */
function withRecord(thrown: unknown, record: Uint8Array): unknown {
  if (!(thrown instanceof AppError) || !thrown.upstream || thrown.upstream.body === null) return thrown;
  const { code, message, retryAfterSeconds, details, cause } = thrown;
  return new AppError(code, message, {
    ...(retryAfterSeconds !== null && { retryAfterSeconds }),
    ...(details !== null && { details }),
    ...(cause !== undefined && { cause }),
    upstream: { ...thrown.upstream, record: new TextDecoder().decode(record) },
  });
}

function inRecords(push: () => Uint8Array[], { provider }: FailureDeps): Uint8Array[] {
  try {
    return push();
  } catch (error) {
    throw new AppError('upstream_unavailable', `${provider} sent a record of a stream that does not end.`, {
      details: { provider },
      cause: error,
    });
  }
}

/** Reads the data of whole records; null: it has none, as a comment. */
function createDataReader(): { read(record: Uint8Array): string | null } {
  const decoder = new TextDecoder();
  let found: string | null = null;
  const parser = createParser({
    onEvent: ({ data }) => {
      found = data;
    },
  });
  return {
    read(record) {
      const text = decoder.decode(record);
      // The usual record is one line, for which no parser is needed.
      if (text.startsWith('data: ') && text.indexOf('\n') === text.length - 2) return text.slice(6, -2);
      found = null;
      parser.feed(text);
      return found;
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Told by whoever reads it.
    return undefined;
  }
}
