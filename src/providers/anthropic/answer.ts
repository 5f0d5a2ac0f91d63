import type { Clock } from '../../core/clock.ts';
import type { ProviderEvent, StreamEvent, Warning } from '../../core/events.ts';
import type { AnswerReading, OpenAnswer as AnswerToRead, Heard } from '../../wire/answer-events.ts';
import { brokenAnswer } from '../messages/broken-answer.ts';
import { createEventMapper, type EventMapper, eventsOfMessage } from '../messages/from-wire.ts';
import { createMessageJoiner } from '../messages/join.ts';
import type { JsonObject } from '../messages/json.ts';
import { eventToError, excerptOf, keptHeaders } from './errors.ts';
import { createEventReader, type ReadRecord } from './event-reader.ts';
import type { ApiSession, OpenAnswer } from './session.ts';

/** How an answer is read. */
export interface Reading {
  provider: string;
  clock: Clock;
  readJson: ApiSession['readJson'];
  warnings: readonly Warning[];
  /** The client's name of a tool, by that of the wire. */
  toolName: (name: string) => string;
  /**
   * `relayed`: the bytes pass beside the events; `joined`: they come as a stream and pass as one message; `translated`: only
   * the events.
   */
  way: 'relayed' | 'joined' | 'translated';
}

/** How an answer that has begun is read. Throws an `AppError` where it fails. */
export async function openReading(answer: OpenAnswer, reading: Reading): Promise<AnswerToRead<ProviderEvent>> {
  const mapper = createEventMapper(reading);
  const { response, watch } = answer;
  const { release, close } = watch;
  const type = response.headers['content-type'] ?? '';
  if (!type.startsWith('text/event-stream')) {
    const said = await wholeOf(answer, mapper, reading);
    return { reading: { first: said, push: () => nothing, end: () => nothing }, body: over, release, close };
  }
  const how = reading.way === 'joined' ? readingOfJoined : readingOfStream;
  return { reading: how(answer, mapper, reading), body: watch.body(response.body), release, close };
}

const nothing: Heard<ProviderEvent> = { events: [] };
const over: AsyncIterator<Uint8Array> = { next: async () => ({ done: true, value: undefined }) };

async function wholeOf(answer: OpenAnswer, mapper: EventMapper, reading: Reading): Promise<ProviderEvent[]> {
  const { json, bytes } = await reading.readJson(answer);
  if (json['type'] !== 'message') {
    throw brokenAnswer(reading.provider, `answered with ${excerptOf(JSON.stringify(json))}, which is no message`);
  }
  const heard = heardOf(json, mapper);
  return reading.way === 'translated' ? heard : relayed(answer, bytes, heard);
}

/** What lacks its blank line was cut off, but for a last word that says all the same that nothing is missing. */
const isLastWord = ({ event }: ReadRecord) => event?.['type'] === 'message_stop';

function readingOfJoined(answer: OpenAnswer, mapper: EventMapper, reading: Reading): AnswerReading<ProviderEvent> {
  const records = createEventReader(reading.provider);
  const joiner = createMessageJoiner();
  const take = (read: readonly ReadRecord[]) => {
    for (const { event } of read) {
      if (event === null || mapper.isWhole) continue;
      failAt(event, answer, reading);
      joiner.push(event);
      mapper.push(event);
    }
  };
  const joined = (): Heard<ProviderEvent> => {
    mapper.end();
    const message = joiner.message();
    const heard = heardOf(message, createEventMapper(reading));
    const events = relayed(answer, Buffer.from(JSON.stringify(message)), heard, 'application/json');
    return { events, isWhole: true };
  };
  return {
    push(bytes) {
      take(records.push(bytes));
      return mapper.isWhole ? joined() : nothing;
    },
    end() {
      take(records.end().filter(isLastWord));
      return joined();
    },
  };
}

function readingOfStream(answer: OpenAnswer, mapper: EventMapper, reading: Reading): AnswerReading<ProviderEvent> {
  const passes = reading.way === 'relayed';
  const records = createEventReader(reading.provider);
  const take = (read: readonly ReadRecord[]): Heard<ProviderEvent> => {
    const passed: Uint8Array[] = [];
    const heard: StreamEvent[] = [];
    const said = (): readonly ProviderEvent[] => {
      // Whole records and nothing of one that failed: whoever writes to the client may end the stream in its own words.
      if (!passes || passed.length === 0) return heard;
      return [{ type: 'relay', bytes: passed.length === 1 ? passed[0]! : Buffer.concat(passed), heard }];
    };
    try {
      for (const { bytes, event } of read) {
        if (event !== null && !mapper.isWhole) {
          failAt(event, answer, reading);
          heard.push(...mapper.push(event));
        }
        passed.push(bytes);
      }
      if (mapper.isWhole) heard.push(...mapper.end());
      return { events: said(), isWhole: mapper.isWhole };
    } catch (failure) {
      return { events: said(), failure };
    }
  };
  return {
    first: passes ? [headOf(answer)] : [],
    push: (bytes) => take(records.push(bytes)),
    end() {
      const last = take(records.end().filter(isLastWord));
      if (mapper.isWhole || last.failure !== undefined) return last;
      if (passes) throw brokenAnswer(reading.provider, 'ended in the middle of its answer');
      return { events: mapper.end() };
    },
  };
}

function failAt(event: JsonObject, { response }: OpenAnswer, { provider, clock }: Reading): void {
  if (event['type'] === 'error') throw eventToError(event, response.headers, provider, clock);
}

function heardOf(message: JsonObject, mapper: EventMapper): StreamEvent[] {
  return eventsOfMessage(message).flatMap((event) => mapper.push(event));
}

function headOf({ response }: OpenAnswer, type?: string): ProviderEvent {
  const contentType = type ?? response.headers['content-type'] ?? 'application/json';
  return {
    type: 'relay-head',
    status: response.status,
    headers: { ...keptHeaders(response.headers), 'content-type': contentType },
  };
}

function relayed(answer: OpenAnswer, bytes: Uint8Array, heard: readonly StreamEvent[], type?: string): ProviderEvent[] {
  return [headOf(answer, type), { type: 'relay', bytes, heard }];
}
