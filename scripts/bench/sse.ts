import { StringDecoder } from 'node:string_decoder';

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
  let partial = '';
  let data: string[] = [];
  let lastMs = 0;
  const finishRecord = () => {
    if (data.length > 0) records.push({ data: data.join('\n'), atMs: lastMs });
    data = [];
  };
  const takeLine = (line: string) => {
    if (line === '') finishRecord();
    else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
  };
  for (const { bytes, atMs } of chunks) {
    lastMs = atMs;
    const lines = (partial + decoder.write(Buffer.from(bytes))).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) takeLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  }
  // Some servers leave out the last empty line.
  if (partial !== '') takeLine(partial.trimEnd());
  finishRecord();
  return records;
}
