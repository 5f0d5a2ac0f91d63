import { createParser } from 'eventsource-parser';
import { createAlikeRecords } from '../../wire/alike-records.ts';
import { createSseRecords } from '../../wire/sse-records.ts';
import { brokenAnswer } from '../messages/broken-answer.ts';
import { type JsonObject, objectAt, parseObject, textAt } from '../messages/json.ts';
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
  const alike = createAlikeRecords();
  /** The piece of text to which others are compared. */
  let last: JsonObject = {};
  const read = (bytes: Uint8Array): ReadRecord => {
    const same = alike.textOf(bytes);
    if (same !== null) return { bytes, event: { ...last, delta: { ...objectAt(last, 'delta'), text: same } } };
    event = null;
    const text = decoder.decode(bytes, { stream: true });
    parser.feed(text);
    const value = event === null ? null : textOfPiece(event);
    if (event !== null && value !== null) {
      last = event;
      alike.learn(bytes, text, { key: 'text', value });
    }
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

/** Of an event that is a piece of text; null: it is another one. */
function textOfPiece(event: JsonObject): string | null {
  const delta = event['type'] === 'content_block_delta' ? objectAt(event, 'delta') : null;
  return delta?.['type'] === 'text_delta' ? textAt(delta, 'text') : null;
}
