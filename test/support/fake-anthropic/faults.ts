import type { ServerResponse } from 'node:http';

/** What goes wrong with one request. */
export type WireFault =
  /** The connection is reset before an answer. */
  | { type: 'reset' }
  /** Any answer in place of the right one; `body` that is neither text nor bytes is sent as JSON. */
  | { type: 'answer'; status: number; headers?: Record<string, string>; body: unknown }
  /** Nothing comes: no head, or nothing after so many bytes of the stream. */
  | { type: 'stall'; afterBytes?: number }
  /** The stream ends, or is reset, after so many bytes. */
  | { type: 'cut'; afterBytes: number; how: 'end' | 'reset' }
  /** In pieces of so many bytes. */
  | { type: 'split'; bytes: number }
  /** A record in place of what would come after so many records; the stream ends with it. */
  | { type: 'record'; afterRecords: number; text: string }
  /** The stream is whole and its connection stays open. */
  | { type: 'linger' };

interface Handling {
  answer: ((response: ServerResponse) => void) | null;
  /** Sends the body of a stream. */
  write(response: ServerResponse, text: string): Promise<void>;
}

export function faultOf(fault: WireFault | null): Handling {
  const answer = answerOf(fault);
  return {
    answer,
    async write(response, text) {
      const bytes = Buffer.from(text);
      switch (fault?.type) {
        case 'stall':
          response.write(bytes.subarray(0, fault.afterBytes));
          return;
        case 'cut':
          await written(response, bytes.subarray(0, fault.afterBytes));
          if (fault.how === 'end') response.end();
          else response.destroy();
          return;
        case 'split':
          for (let from = 0; from < bytes.length; from += fault.bytes) {
            await written(response, bytes.subarray(from, from + fault.bytes));
          }
          response.end();
          return;
        case 'record': {
          const records = text.split(/(?<=\n\n)/);
          response.end(records.slice(0, fault.afterRecords).join('') + fault.text);
          return;
        }
        case 'linger':
          response.write(bytes);
          return;
        default:
          response.end(bytes);
      }
    },
  };
}

function answerOf(fault: WireFault | null): Handling['answer'] {
  if (fault?.type === 'reset') return (response) => response.destroy();
  if (fault?.type === 'stall' && fault.afterBytes === undefined) return () => {};
  if (fault?.type !== 'answer') return null;
  const { status, headers, body } = fault;
  const isText = typeof body === 'string' || Buffer.isBuffer(body);
  return (response) => {
    response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers });
    response.end(isText ? body : JSON.stringify(body));
  };
}

/** Once the piece has left, so that the next one does not travel with it. */
function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    response.write(bytes, () => setImmediate(resolve));
  });
}
