import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createOutbound, type OutboundRequest } from '../../src/wire/outbound.ts';

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closes.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Asks as `GET` without headers where a test says nothing else. */
function createAsk() {
  const outbound = createOutbound();
  return (url: string, request: Partial<OutboundRequest> = {}) =>
    outbound({ method: 'GET', url, headers: {}, signal: new AbortController().signal, ...request });
}

async function textOf(answer: { body: AsyncIterable<Uint8Array> } | Promise<{ body: AsyncIterable<Uint8Array> }>) {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await answer).body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('requests to other servers', () => {
  it('follows no redirect, so that nothing is sent where nobody wanted it', async () => {
    const asked: string[] = [];
    const address = await serve((request, response) => {
      asked.push(request.url!);
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    const response = await createAsk()(address, { method: 'POST', body: Buffer.from('secret') });
    expect(response.status).toBe(307);
    expect(asked).toEqual(['/']);
  });

  it('reads no more of a failure than somebody could want to see', async () => {
    const address = await serve((_request, response) => {
      response.writeHead(502);
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
        response.once('drain', write);
      };
      write();
    });
    const response = await createAsk()(address);
    expect(response.status).toBe(502);
    expect(await textOf(response)).toHaveLength(256 * 1024);
  });

  it('gives an answer as it is', async () => {
    const address = await serve((_request, response) => response.writeHead(200, { 'x-a': 'b' }).end('whole'));
    const response = await createAsk()(address);
    expect(response.headers['x-a']).toBe('b');
    expect(await textOf(response)).toBe('whole');
  });

  it('sends bytes as they are, and asks for nothing of its own', async () => {
    const seen: { headers: IncomingHttpHeaders; body: string }[] = [];
    const address = await serve(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      seen.push({ headers: request.headers, body: Buffer.concat(pieces).toString() });
      response.end();
    });
    const ask = createAsk();
    for (const body of [new TextEncoder().encode('süß'), Buffer.from('xsüß').subarray(1)]) {
      await textOf(ask(address, { method: 'POST', body, headers: { 'x-own': '1' } }));
    }
    await textOf(ask(address));
    expect(seen.map(({ body }) => body)).toEqual(['süß', 'süß', '']);
    const { host, connection, ...own } = seen[0]!.headers;
    expect(own).toEqual({ 'x-own': '1', 'content-length': '5' });
    expect([host, connection]).toEqual([new URL(address).host, 'keep-alive']);
  });

  it('asks again on the connection that it has', async () => {
    const sockets = new Set<unknown>();
    const address = await serve((request, response) => {
      sockets.add(request.socket);
      response.end('whole');
    });
    const ask = createAsk();
    for (let n = 0; n < 3; n++) expect(await textOf(ask(address))).toBe('whole');
    expect(sockets.size).toBe(1);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('reads what nobody asked to be compressed as %s', async (encoding, compress) => {
    const address = await serve((_request, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(compress('whole')),
    );
    expect(await textOf(createAsk()(address))).toBe('whole');
  });

  it('gives all that is there as one piece, and what comes later when it comes', async () => {
    const { promise: more, resolve: sendMore } = Promise.withResolvers<void>();
    const address = await serve(async (_request, response) => {
      response.write('a');
      response.write('b');
      await more;
      response.end('c');
    });
    const pieces = (await createAsk()(address)).body;
    let text = '';
    while (text.length < 2) text += Buffer.from((await pieces.next()).value!).toString();
    expect(text).toBe('ab');
    sendMore();
    expect(Buffer.from((await pieces.next()).value!).toString()).toBe('c');
    expect((await pieces.next()).done).toBe(true);
  });

  it('tells a body that breaks off from one that ends, and ends the connection of one that nobody wants', async () => {
    const gone = Promise.withResolvers<void>();
    const address = await serve((request, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('half');
      if (request.url === '/cut') setImmediate(() => response.destroy());
      else response.on('close', () => gone.resolve());
    });
    const ask = createAsk();
    await expect(textOf(ask(`${address}/cut`))).rejects.toThrow();
    const pieces = (await ask(address)).body;
    await pieces.next();
    await pieces.return!();
    await gone.promise;
  });

  it('can be aborted before the head and in the middle of the body', async () => {
    const address = await serve((request, response) => {
      if (request.url === '/body') response.writeHead(200).write('a');
    });
    const ask = createAsk();
    const early = new AbortController();
    const waiting = ask(address, { signal: early.signal });
    early.abort(new Error('early'));
    await expect(waiting).rejects.toThrow('early');
    const late = new AbortController();
    const response = await ask(`${address}/body`, { signal: late.signal });
    const text = textOf(response);
    late.abort(new Error('late'));
    await expect(text).rejects.toThrow('late');
  });
});
