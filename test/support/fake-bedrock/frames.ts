import { crc32 } from 'node:zlib';

/**
 * One frame of `application/vnd.amazon.eventstream`: total length, length of the headers, CRC of the two, headers, payload,
 * CRC of everything before. Headers are texts (type 7).
 */
export function encodeFrame(headers: Readonly<Record<string, string>>, payload: Uint8Array): Buffer {
  const encoded = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const key = Buffer.from(name);
      const text = Buffer.from(value);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(text.length);
      return Buffer.concat([Buffer.from([key.length]), key, Buffer.from([7]), length, text]);
    }),
  );
  const frame = Buffer.alloc(16 + encoded.length + payload.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(encoded.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  encoded.copy(frame, 12);
  Buffer.from(payload).copy(frame, 12 + encoded.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - 4)), frame.length - 4);
  return frame;
}

/** An event by its name, its payload as JSON. */
export function eventFrame(name: string, payload: unknown): Buffer {
  const headers = { ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' };
  return encodeFrame(headers, Buffer.from(JSON.stringify(payload)));
}

/** An exception within a stream, by its name (`throttlingException`). */
export function exceptionFrame(name: string, payload: unknown): Buffer {
  const headers = { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' };
  return encodeFrame(headers, Buffer.from(JSON.stringify(payload)));
}

/** The same frame with one bit of its last checksum turned. */
export function brokenFrame(frame: Buffer): Buffer {
  const broken = Buffer.from(frame);
  broken.writeUInt8(broken.at(-1)! ^ 1, broken.length - 1);
  return broken;
}
