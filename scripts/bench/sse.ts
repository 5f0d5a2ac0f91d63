import { StringDecoder } from 'node:string_decoder';
import { createParser } from 'eventsource-parser';

/** One record of an event stream and when its last byte arrived. */
export interface TimedRecord {
  data: string;
  atMs: number;
}

/** Bytes of a response body as they arrived. */
export interface TimedChunk {
  bytes: Uint8Array;
  atMs: number;
}

/**
 * Cuts a recorded body into records; a record gets the time of the chunk that completed it. Parsing happens after the
 * stream has ended, so that the client takes no time from the server that it measures on the same cores.
 * Comments and fields other than `data` are left out. Source: WHATWG HTML, "Server-sent events".
 */
export function timedRecords(chunks: readonly TimedChunk[]): TimedRecord[] {
  const decoder = new StringDecoder('utf8');
  const records: TimedRecord[] = [];
  let lastMs = 0;
  const parser = createParser({ onEvent: ({ data }) => records.push({ data, atMs: lastMs }) });
  for (const { bytes, atMs } of chunks) {
    lastMs = atMs;
    parser.feed(decoder.write(Buffer.from(bytes)));
  }
  // Some servers leave out the last empty line.
  parser.feed('\n\n');
  return records;
}
