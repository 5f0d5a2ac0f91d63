import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { type Flow, flowOf } from '../../../src/core/flow.ts';
import { type Framing, ndjsonFraming, type SseItem, sseFraming } from '../../../src/http/answer/framing.ts';
import { sendStream } from '../../../src/http/answer/reply.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { manualClock } from '../../support/manual-clock.ts';

const clock = manualClock();
const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** The response of a route that sends these records, once its headers are there. */
async function send<Item>(
  records: AsyncIterable<Item>,
  framing: Framing<Item>,
  onFailure?: (thrown: unknown) => readonly Item[],
): Promise<Response> {
  const app = fastify();
  apps.push(app);
  app.get('/', (_request, reply) => {
    const gone = new AbortController();
    sendStream(reply, records, { framing, gone, clock, log: createLogger('silent'), ...(onFailure && { onFailure }) });
  });
  return fetch(await app.listen({ port: 0, host: '127.0.0.1' }));
}

/** One record, then silence until `go` resolves, then another. */
function aroundSilence<Item>(first: Item, last: Item) {
  const gate = Promise.withResolvers<void>();
  async function* records(): AsyncGenerator<Item> {
    yield first;
    await gate.promise;
    yield last;
  }
  return { records: records(), go: gate.resolve };
}

/** One record, and a failure once `go` resolves. */
function beforeFailure<Item>(first: Item) {
  const gate = Promise.withResolvers<void>();
  async function* records(): AsyncGenerator<Item> {
    yield first;
    await gate.promise;
    throw new Error('broken');
  }
  return { records: records(), go: gate.resolve };
}

describe('a stream', () => {
  it('of lines of JSON says so, holds one object a line, and nothing while there is silence', async () => {
    const { records, go } = aroundSilence<object>({ response: 'a' }, { done: true });
    const response = await send(records, ndjsonFraming);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('{"response":"a"}\n');
    clock.advance(60_000);
    go();
    expect((await reader.read()).value).toBe('{"done":true}\n');
    expect((await reader.read()).done).toBe(true);
  });

  it("pings with the dialect's own record while there is silence", async () => {
    const { records, go } = aroundSilence<SseItem>({ data: 'a' }, { data: 'b' });
    const response = await send(records, sseFraming({ event: 'ping', data: { type: 'ping' } }));
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('data: a\n\n');
    clock.advance(15_000);
    expect((await reader.read()).value).toBe('event: ping\ndata: {"type":"ping"}\n\n');
    go();
    expect((await reader.read()).value).toBe('data: b\n\n');
  });

  it('whose records are apart writes each by itself, with a pause before the next', async () => {
    async function* records(): AsyncGenerator<SseItem> {
      for (const data of ['a', 'b', 'c']) yield { data };
    }
    const writtenMs: number[] = [];
    const app = fastify();
    apps.push(app);
    app.get('/', (_request, reply) => {
      const write = reply.raw.write.bind(reply.raw);
      reply.raw.write = (text: string) => {
        writtenMs.push(performance.now());
        return write(text);
      };
      const framing = { ...sseFraming(), isApart: true as const };
      sendStream(reply, records(), { framing, gone: new AbortController(), clock, log: createLogger('silent') });
    });
    const response = await fetch(await app.listen({ port: 0, host: '127.0.0.1' }));
    expect(await response.text()).toBe('data: a\n\ndata: b\n\ndata: c\n\n');
    expect(writtenMs).toHaveLength(3);
    for (const [index, ms] of writtenMs.slice(1).entries()) expect(ms - writtenMs[index]!).toBeGreaterThan(8);
  });

  it('that fails ends with the records that its failure becomes', async () => {
    const { records, go } = beforeFailure<object>({ a: 1 });
    const response = await send(records, ndjsonFraming, (thrown) => [{ b: 2 }, { error: String(thrown) }]);
    go();
    expect(await response.text()).toBe('{"a":1}\n{"b":2}\n{"error":"Error: broken"}\n');
  });

  it('that fails without a word for it is cut, so that its end is not taken for a whole answer', async () => {
    const { records, go } = beforeFailure<object>({ a: 1 });
    const response = await send(records, ndjsonFraming);
    go();
    await expect(response.text()).rejects.toThrow();
  });

  it('that is pushed goes out as it comes, its failure as its last record', async () => {
    const { records, go } = beforeFailure<object>({ a: 1 });
    const response = await send(flowOf(records), ndjsonFraming, (thrown) => [{ error: String(thrown) }]);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('{"a":1}\n');
    go();
    expect((await reader.read()).value).toBe('{"error":"Error: broken"}\n');
    expect((await reader.read()).done).toBe(true);
  });

  it('that is pushed to a client that does not read is ended by its signal', async () => {
    const gone = new AbortController();
    const app = fastify();
    apps.push(app);
    app.get('/', (_request, reply) => {
      const piece = Buffer.alloc(64 * 1024);
      const flow: Flow<Uint8Array> = {
        ...flowOf<Uint8Array>({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
        each: (take) =>
          new Promise((_resolve, reject) => {
            gone.signal.addEventListener('abort', () => {
              clearInterval(pieces);
              reject(gone.signal.reason);
            });
            const pieces = setInterval(() => take(piece), 0);
          }),
      };
      const framing = { contentType: 'text/event-stream', frame: (bytes: Uint8Array) => bytes, ping: null };
      sendStream(reply, flow, { framing, gone, clock, log: createLogger('silent'), onFailure: () => [] });
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').pause();
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(gone.signal, 'abort');
    expect(gone.signal.reason).toMatchObject({ code: 'client_closed_request' });
    socket.destroy();
  });
});
