import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTransport } from '../../src/cli/transport.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serving(answer: RequestListener) {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, ...createTransport({ address, apiKey: 'secret-key' }) };
}

const never = new AbortController().signal;

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

describe('an answer in lines', () => {
  it('is read whole wherever it was cut, also in the middle of a letter', async () => {
    const text = Buffer.from('{"a":"ü"}\n{"b":"👩"}\nlast');
    const { lines } = await serving(async (request, response) => {
      expect(request.headers).toMatchObject({ authorization: 'Bearer secret-key', 'x-cloud': 'never' });
      for (const byte of text) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const answer = await lines('/api/chat', {}, { 'x-cloud': 'never' }, never);
    expect(await collect(answer.lines)).toEqual(['{"a":"ü"}', '{"b":"👩"}', 'last']);
  });

  it('that breaks off is a failure in words', async () => {
    const { lines, address } = await serving((_request, response) => {
      response.write('one\ntwo', () => response.destroy());
    });
    const answer = await lines('/api/chat', {}, {}, never);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const line of answer.lines) seen.push(line);
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'internal_error',
      message: `The connection to ${address} broke.`,
    });
    expect(seen).toEqual(['one']);
  });

  it('is ended at the server by an abort, which is thrown as its reason', async () => {
    let closed = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const { lines } = await serving((_request, response) => {
      response.on('close', closed).write('one\n');
    });
    const stopping = new AbortController();
    const answer = await lines('/api/chat', {}, {}, stopping.signal);
    const reading = (async () => {
      for await (const _line of answer.lines) stopping.abort(new Error('stopped'));
    })();
    await expect(reading).rejects.toThrow('stopped');
    await gone;
  });

  it.each([
    [
      404,
      '{"error":"model not found: There is no model x."}',
      'model_not_found',
      'model not found: There is no model x.',
    ],
    [401, '{"error":"The API key is not valid."}', 'unauthorized', 'The API key is not valid.'],
    [
      507,
      '{"error":{"code":"INSUFFICIENT_MEMORY","message":"Too large.","details":{}}}',
      'insufficient_memory',
      'Too large.',
    ],
    [502, '<html>', 'internal_error', 'The server answered with status 502.'],
  ])('of status %i is the failure that it says', async (status, body, code, message) => {
    const { lines } = await serving((_request, response) => response.writeHead(status).end(body));
    await expect(lines('/api/chat', {}, {}, never)).rejects.toMatchObject({ code, message });
  });

  it('is not looked for elsewhere', async () => {
    const asked: string[] = [];
    const other = await serving((request, response) => {
      asked.push(request.url ?? '');
      response.end();
    });
    const { lines, address } = await serving((_request, response) =>
      response.writeHead(307, { location: `${other.address}/api/chat` }).end(),
    );
    await expect(lines('/api/chat', {}, {}, never)).rejects.toThrow(`The connection to ${address} broke.`);
    expect(asked).toEqual([]);
  });
});

describe('an answer that takes its time', () => {
  it('is read by its schema, or refused in words', async () => {
    const { askPatiently, address } = await serving((request, response) => {
      response.end(request.url === '/good' ? '{"model":"tiny"}' : 'none');
    });
    expect(await askPatiently('/good', z.object({ model: z.string() }), {}, never)).toEqual({ model: 'tiny' });
    await expect(askPatiently('/bad', z.object({ model: z.string() }), {}, never)).rejects.toThrow(
      `The server at ${address} gave an answer that this version cannot read.`,
    );
  });

  it('is not waited for after an abort, nor after the end of the command', async () => {
    const { askPatiently, close, address } = await serving(() => {});
    const stopping = new AbortController();
    const stopped = askPatiently('/load', z.unknown(), {}, stopping.signal);
    stopping.abort(new Error('stopped'));
    await expect(stopped).rejects.toThrow('stopped');
    const closed = askPatiently('/load', z.unknown(), {}, never);
    close();
    await expect(closed).rejects.toThrow(`The connection to ${address} broke.`);
  });
});
