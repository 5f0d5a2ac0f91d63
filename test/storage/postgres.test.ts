import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const log = { warn: () => {} };
const open = (url: string) => openPostgres(url, { clock: systemClock, log });

/** Speaks as much of PostgreSQL's protocol as is needed to be asked for its version. */
async function oldPostgres(version: string): Promise<{ url: string; close: () => void }> {
  const message = (type: string, ...parts: Buffer[]) => {
    const body = Buffer.concat(parts);
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(type), length, body]);
  };
  const int16 = (value: number) => Buffer.from([value >> 8, value & 255]);
  const int32 = (value: number) => Buffer.concat([int16(value >>> 16), int16(value & 0xffff)]);
  const [text, byte] = [25, -1];
  const column = Buffer.concat([
    Buffer.from('version\0'),
    int32(0),
    int16(0),
    int32(text),
    int16(0xffff & byte),
    int32(0xffffffff),
    int16(0),
  ]);
  const ready = message('Z', Buffer.from('I'));
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', int32(0)), ready]));
      socket.on('data', (bytes) => {
        // Parse, bind, describe, execute, sync: one answer for all of them.
        if (!bytes.includes('server_version_num')) return;
        const value = Buffer.from(version);
        socket.write(
          Buffer.concat([
            message('1'),
            message('2'),
            message('T', int16(1), column),
            message('D', int16(1), int32(value.length), value),
            message('C', Buffer.from('SELECT 1\0')),
            ready,
          ]),
        );
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `postgres://hearth:canary@127.0.0.1:${port}/hearth`, close: () => server.close() };
}

describe('a database that cannot be used at the start', () => {
  it('is told by its place and the reason, without its password, where nobody answers', async () => {
    await expect(open('postgres://hearth:canary@127.0.0.1:1/hearth')).rejects.toMatchObject({
      name: 'ConfigError',
      message: 'storage.url: the database at 127.0.0.1:1 does not answer: connect ECONNREFUSED 127.0.0.1:1',
    });
  });

  it('is refused where it is too old', async () => {
    const old = await oldPostgres('130014');
    await expect(open(old.url)).rejects.toMatchObject({
      name: 'ConfigError',
      message: 'storage.url: the database is PostgreSQL 13; 14 or later is needed',
    });
    old.close();
  });

  it.skipIf(postgresUrl === undefined)('is told where it refuses this server', async () => {
    const url = new URL(postgresUrl!);
    url.username = 'nobody_of_that_name';
    url.password = 'canary';
    await expect(open(url.href)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/^storage\.url: the database at [\w.]+:\d+ refuses this server: (?!.*canary)/),
    });
  });
});

describe.skipIf(postgresUrl === undefined)('a database that goes away', () => {
  it('is asked no more, and nobody waits for it, until it is back', async () => {
    const { url, open: openSchema, dispose } = await openTestSchema(postgresUrl!);
    await openSchema();
    const { hostname, port } = new URL(url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    const through = new URL(url);
    through.port = String(proxy.port);
    const said: string[] = [];
    const database = await openPostgres(through.href, {
      clock: systemClock,
      log: { warn: ((_: object, text: string) => said.push(text)) as never },
    });
    const ask = () => sql<{ one: number }>`SELECT 1 AS one`.execute(database.tables);
    const book = () =>
      database.transaction((tables) =>
        tables
          .selectFrom('spending')
          .selectAll()
          .execute()
          .then(() => 'read'),
      );
    await ask();
    await proxy.set('cut');
    await expect.poll(() => ask().catch((error: { code: string }) => error.code)).toBe('storage_unavailable');
    await expect(book()).rejects.toMatchObject({ code: 'storage_unavailable' });
    await expect.poll(() => said).toContain('the database is away; local models go on');
    await proxy.set('open');
    await expect.poll(() => book().catch(() => null), { timeout: 10_000 }).toBe('read');
    expect(said).toContain('the database is back');
    await database.close();
    await proxy.close();
    await dispose();
  });
});
