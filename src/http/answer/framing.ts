import { ndjsonLine } from '../../wire/ndjson.ts';
import { sseComment, sseJson, sseRecord } from '../../wire/sse.ts';

/** How the records of a stream become its text. */
export interface Framing<Item, Text extends string | Uint8Array = string> {
  contentType: string;
  frame(item: Item): Text;
  /** What is sent when nothing else was for a while, as it goes out; null: nothing is. */
  ping: string | null;
  /** Each record is written by itself, for readers that take what one read gives for one record; left out: as they come. */
  isApart?: true;
}

/** A record of an event stream: text as it stands (`[DONE]`), or an object as JSON. */
export interface SseItem {
  event?: string;
  data: string | object;
}

/** Server-sent events. `ping`: the record of a dialect that has one of its own; left out: a comment. */
export function sseFraming(ping?: SseItem): Framing<SseItem> {
  return {
    contentType: 'text/event-stream',
    frame: frameSse,
    ping: ping === undefined ? sseComment('keep-alive') : frameSse(ping),
  };
}

/** Newline-delimited JSON. A reader takes every line for a record, so there is nothing to ping with. */
export const ndjsonFraming: Framing<object> = { contentType: 'application/x-ndjson', frame: ndjsonLine, ping: null };

function frameSse({ data, event }: SseItem): string {
  return typeof data === 'string' ? sseRecord(data, event) : sseJson(data, event);
}
