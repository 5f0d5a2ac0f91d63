import { connect } from 'node:net';
import Fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { addClientAddress } from '../../../src/http/plugins/client-address.ts';
import { cloudOf, createHarness, type Harness, testConfig } from '../harness.ts';

let harness: Harness;
let port: number;
afterEach(() => harness?.close());

async function serve(trustedProxies: string[]): Promise<void> {
  const limits = cloudOf({ rate_limits: { per_address: { requests_per_minute: 2 } } });
  harness = await createHarness({ trustedProxies }, {}, [], limits);
  port = Number(new URL(await harness.http.listen()).port);
}

/** Status of one request over a socket of its own, from an address of the loopback network. */
function ask(headers: readonly string[] = [], from = '127.0.0.1'): Promise<number> {
  const body = JSON.stringify({ prompt: 'Hi' });
  const lines = [
    'POST /generate HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
    ...headers,
    '',
    body,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(Number(answer.split(' ')[1])));
    socket.write(lines.join('\r\n'));
  });
}
const statuses = async (all: readonly (readonly string[])[], from?: string) => {
  const seen: number[] = [];
  for (const headers of all) seen.push(await ask(headers, from));
  return seen;
};
const forwarded = (...values: string[]) => values.map((value) => `X-Forwarded-For: ${value}`);

describe('limits of addresses', () => {
  it('count by the peer of the socket, whatever its X-Forwarded-For says, where no proxy is listed', async () => {
    await serve([]);
    expect(await statuses([forwarded('198.51.100.1'), forwarded('198.51.100.2'), forwarded('198.51.100.3')])).toEqual([
      200, 200, 429,
    ]);
    // Another address of the loopback network is another client.
    expect(await ask([], '127.0.0.2')).toBe(200);
  });

  it('count by the client that a listed proxy names', async () => {
    await serve(['127.0.0.1']);
    expect(await statuses([forwarded('198.51.100.1'), forwarded('198.51.100.1'), forwarded('198.51.100.1')])).toEqual([
      200, 200, 429,
    ]);
    expect(await ask(forwarded('198.51.100.2'))).toBe(200);
    // Who is no proxy is itself.
    expect(await statuses([forwarded('198.51.100.9'), forwarded('198.51.100.8'), []], '127.0.0.2')).toEqual([
      200, 200, 429,
    ]);
  });

  it('do not believe what a client writes before its proxy does', async () => {
    await serve(['127.0.0.0/8']);
    const seen = await statuses([
      forwarded('203.0.113.1, 198.51.100.1'),
      forwarded('203.0.113.2, 198.51.100.1, 127.0.0.9'),
      forwarded('203.0.113.3', '198.51.100.1'),
    ]);
    expect(seen).toEqual([200, 200, 429]);
  });

  it.each([
    ['an address of IPv6 in brackets with a port', '[2001:db8::1]:4711', '2001:db8::1'],
    ['an address of IPv4 with a port', '198.51.100.1:4711', '198.51.100.1'],
    ['an address of IPv4 as IPv6 has it', '::ffff:198.51.100.1', '198.51.100.1'],
  ])('take %s for what it is', async (_what, written, plain) => {
    await serve(['127.0.0.1']);
    expect(await statuses([forwarded(written), forwarded(plain), forwarded(plain)])).toEqual([200, 200, 429]);
  });

  it.each(['unknown', '_hidden', '', 'localhost', '999.1.1.1', '1.2.3.4.5'])(
    'count by the proxy where it names no address: %j',
    async (written) => {
      await serve(['127.0.0.1']);
      expect(await statuses([forwarded(written), forwarded(written), []])).toEqual([200, 200, 429]);
    },
  );

  it('count by the proxy where it names nobody', async () => {
    await serve(['127.0.0.1']);
    expect(await statuses([[], [], []])).toEqual([200, 200, 429]);
  });
});

describe('a proxy that is not listed', () => {
  it('is warned of once, and nobody else is', async () => {
    for (const [trustedProxies, warnings] of [
      [[], 1],
      [['127.0.0.1'], 0],
    ] as const) {
      const app = Fastify();
      const logged: unknown[] = [];
      const log = { warn: (...line: unknown[]) => void logged.push(line) } as never;
      addClientAddress(app, { config: testConfig({ trustedProxies: [...trustedProxies] }), log });
      app.get('/', async ({ address }) => ({ address }));
      for (let count = 0; count < 3; count++) {
        await app.inject({ url: '/', headers: { 'x-forwarded-for': '198.51.100.1' } });
      }
      await app.inject('/');
      await app.close();
      expect(logged).toHaveLength(warnings);
    }
  });
});
