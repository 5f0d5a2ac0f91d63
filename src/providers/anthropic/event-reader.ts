import { createParser } from 'eventsource-parser';
import { createSseRecords } from '../../wire/sse-records.ts';
import { brokenAnswer } from '../messages/broken-answer.ts';
import { type JsonObject, parseObject } from '../messages/json.ts';
import { excerptOf } from './errors.ts';

/** A record of an event stream as it came, and what it says. */
export interface ReadRecord {
  bytes: Uint8Array;
  /** Null: it says nothing, as comments do. */
  event: JsonObject | null;
}

/** More than any record of the API has: a block that is sent whole, such as a page that was fetched. */
const maxRecordBytes = 32 * 1024 * 1024;
const lineFeed = 0x0a;

/** Reads the bytes of an event stream as they come. Both methods throw `upstream_unavailable` for what is no event stream of JSON. */
export interface EventReader {
  push(bytes: Uint8Array): ReadRecord[];
  /** What came last, where its blank line is missing: that is added. */
  end(): ReadRecord[];
}

export function createEventReader(provider: string): EventReader {
  const records = createSseRecords(maxRecordBytes);
  const decoder = new TextDecoder();
  let event: JsonObject | null = null;
  const parser = createParser({
    onEvent({ data }) {
      // Not of this protocol, but gateways that speak others too send it.
      if (data.trim() === '[DONE]') return;
      event = parseObject(data);
      if (event === null) throw brokenAnswer(provider, `sent an event that is no JSON: ${excerptOf(data)}`);
    },
  });
  const read = (bytes: Uint8Array): ReadRecord => {
    event = null;
    parser.feed(decoder.decode(bytes, { stream: true }));
    return { bytes, event };
  };
  return {
    push(bytes) {
      try {
        return records.push(bytes).map(read);
      } catch (error) {
        if (error instanceof RangeError) throw brokenAnswer(provider, 'sent an event that does not end', error);
        throw error;
      }
    },
    end() {
      const rest = records.rest();
      const missing = rest.at(-1) === lineFeed ? [lineFeed] : [lineFeed, lineFeed];
      return rest.length === 0 ? [] : [read(Buffer.from([...rest, ...missing]))];
    },
  };
}
