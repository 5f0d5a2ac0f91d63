import { bufferOf } from './buffers.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blankLine = '\n\n';

/** Cuts the bytes of an event stream into whole records. */
export interface SseRecords {
  /** The records that are whole by now, each with the blank line that ends it; joined, all of them are the bytes that came. */
  push(bytes: Uint8Array): Uint8Array[];
  /** What came after the last blank line. */
  rest(): Uint8Array;
}

/**
 * Whoever passes an event stream on in whole records may write something of its own between two pieces, and may stop at any
 * time without leaving half a record behind. Throws a `RangeError` for a record of more than `maxBytes`.
 */
export function createSseRecords(maxBytes: number): SseRecords {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  /** Whether the last byte ended a line, so that a further end of line ends the record. */
  let atLineStart = true;
  /** A CR may be the first half of a CRLF: what follows decides where the line, or the record, ends. */
  let afterReturn: 'line' | 'record' | null = null;

  return {
    push(bytes) {
      const records: Uint8Array[] = [];
      let from = 0;
      const cut = (to: number) => {
        const piece = bytes.subarray(from, to);
        records.push(held.length === 0 ? piece : Buffer.concat([...held, piece]));
        held = [];
        heldBytes = 0;
        from = to;
      };
      // Mostly pieces are whole records whose lines end with LF, which are found faster than byte by byte.
      if (heldBytes === 0 && atLineStart && afterReturn === null && !bytes.includes(carriageReturn)) {
        const buffer = bufferOf(bytes);
        while (from < bytes.length && bytes[from] !== lineFeed) {
          const end = buffer.indexOf(blankLine, from);
          if (end === -1) break;
          cut(end + blankLine.length);
        }
      }
      for (let index = from; index < bytes.length; index++) {
        const byte = bytes[index]!;
        const pending = afterReturn;
        afterReturn = null;
        if (pending !== null && byte === lineFeed) {
          if (pending === 'record') cut(index + 1);
          continue;
        }
        if (pending === 'record') cut(index);
        if (byte === lineFeed) {
          if (atLineStart) cut(index + 1);
          atLineStart = true;
        } else if (byte === carriageReturn) {
          afterReturn = atLineStart ? 'record' : 'line';
          atLineStart = true;
        } else atLineStart = false;
      }
      if (from < bytes.length) {
        // Copied (`slice` of a Buffer is no copy): whoever reads a socket may use its buffer again.
        held.push(new Uint8Array(bytes.subarray(from)));
        heldBytes += bytes.length - from;
        if (heldBytes > maxBytes) throw new RangeError(`a record of an event stream has more than ${maxBytes} bytes`);
      }
      return records;
    },
    rest: () => Buffer.concat(held),
  };
}
