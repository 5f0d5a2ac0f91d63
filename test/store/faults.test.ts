import { appendFile, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { PullInfo } from '../../src/core/pull.ts';
import { type FakeHub, fakeRepository, sha256, startFakeHub } from '../support/fake-hub.ts';
import { modelBytes } from '../support/model-bytes.ts';
import { never, pullUntil, type TestStore, testStore } from '../support/test-store.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const name = 'Tiny-Q4_0.gguf';
const wish = { name: `hf:${fakeRepository}:q4_0` };
const nextTurn = () => new Promise<false>((resolve) => setImmediate(resolve, false));

async function setUp(changes: Parameters<typeof testStore>[1] = {}): Promise<{ hub: FakeHub } & TestStore> {
  const hub = await startFakeHub([{ path: name, bytes: modelBytes(400_000) }]);
  const test = await testStore(hub, changes);
  open.push(hub, test);
  return { hub, ...test };
}

/** Starts a pull and lets the clock run, a second a turn, until it has ended. */
async function pullToEnd({ store, clock }: TestStore): Promise<PullInfo> {
  const { id } = await store.pull(wish, never);
  const ended = pullUntil(store, id, 'done', 'failed', 'cancelled');
  while (!(await Promise.race([ended.then(() => true), nextTurn()]))) {
    if (store.getPull(id).state === 'waiting') clock.advance(1_000);
  }
  return ended;
}

/** Bodies are sent with a fault as often as `times` says, the one for the header aside. */
function breakBodies(hub: FakeHub, times: number, fault: NonNullable<FakeHub['faults']['onBody']>): void {
  let left = times;
  hub.faults.onBody = (response, bytes, served) => {
    if (hub.served.length === 1 || left-- <= 0) return void response.end(bytes);
    return fault(response, bytes, served);
  };
}

const cutAfter =
  (bytes: number): NonNullable<FakeHub['faults']['onBody']> =>
  (response, body) => {
    response.write(body.subarray(0, bytes), () => response.destroy());
  };

const partOf = ({ folder }: TestStore) => join(folder, fakeRepository, `${name}.part`);
const finished = ({ folder }: TestStore) => readFile(join(folder, fakeRepository, name));

describe('a connection that is cut', () => {
  it('is taken up where it broke off, again and again', async () => {
    const test = await setUp();
    breakBodies(test.hub, 5, cutAfter(50_000));
    expect(await pullToEnd(test)).toMatchObject({ state: 'done', error: null });
    expect((await finished(test)).equals(test.hub.files[0]!.bytes)).toBe(true);
    const starts = test.hub.served.slice(1).map(({ startBytes }) => startBytes);
    expect(starts).toHaveLength(6);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts[5]).toBeGreaterThan(200_000);
  });

  it('fails the pull after eight tries that brought nothing, and keeps what arrived', async () => {
    const test = await setUp();
    breakBodies(test.hub, 1, cutAfter(200_000));
    const { id } = await test.store.pull(wish, never);
    await pullUntil(test.store, id, 'waiting');
    test.hub.faults.onRequest = (request) => request.socket.destroy() !== undefined;
    const ended = pullUntil(test.store, id, 'failed');
    while (!(await Promise.race([ended.then(() => true), nextTurn()]))) {
      if (test.store.getPull(id).state === 'waiting') test.clock.advance(1_000);
    }
    const failed = await ended;
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'hub_failed' } });
    expect(failed.error?.fix).toBe('Pull again later; what arrived is kept.');
    expect(failed.receivedBytes).toBeGreaterThan(0);
    test.hub.faults.onRequest = undefined as never;
    const served = test.hub.served.length;
    expect(await pullToEnd(test)).toMatchObject({ state: 'done', id });
    expect(test.hub.served.at(-1)!.startBytes).toBe(failed.receivedBytes);
    expect(test.hub.served.length - served).toBe(2);
  });

  it('is given up when nothing arrives for 30 s, and tried again', async () => {
    const test = await setUp();
    const stalled = Promise.withResolvers<void>();
    breakBodies(test.hub, 1, (response, bytes) => {
      response.write(bytes.subarray(0, 100_000), () => stalled.resolve());
    });
    const { id } = await test.store.pull(wish, never);
    await stalled.promise;
    while (test.store.getPull(id).receivedBytes < 100_000) await nextTurn();
    test.clock.advance(30_000);
    const waiting = await pullUntil(test.store, id, 'waiting');
    expect(waiting.notes).toEqual(['nothing arrived for 30 s; the next try is in 1 s']);
    test.clock.advance(1_000);
    expect((await pullUntil(test.store, id, 'done')).error).toBeNull();
    expect(test.hub.served.at(-1)!.startBytes).toBe(100_000);
  });
});

describe('a hub that is busy', () => {
  it('is asked again when Retry-After says so', async () => {
    const test = await setUp();
    const { id } = await startRefused(test, 429, { 'retry-after': '17' });
    const waiting = await pullUntil(test.store, id, 'waiting');
    expect(waiting.notes).toEqual(['the hub answered with status 429; the next try is in 17 s']);
    test.hub.faults.onRequest = () => false;
    test.clock.advance(16_999);
    expect(test.store.getPull(id).state).toBe('waiting');
    test.clock.advance(1);
    expect((await pullUntil(test.store, id, 'done')).state).toBe('done');
  });

  it('is waited for longer and longer when it does not say how long', async () => {
    const test = await setUp();
    const { id } = await startRefused(test, 503, {});
    const delays = new Set<string>();
    const ended = pullUntil(test.store, id, 'failed');
    while (!(await Promise.race([ended.then(() => true), nextTurn()]))) {
      const { state, notes } = test.store.getPull(id);
      if (state !== 'waiting') continue;
      delays.add(/in (\d+) s/.exec(notes[0]!)![1]!);
      test.clock.advance(250);
    }
    // Half of the delay is left to chance, which is 0.5 here.
    expect([...delays].map(Number)).toEqual([1, 2, 3, 6, 12, 24, 45]);
    expect((await ended).error).toMatchObject({ code: 'hub_failed', message: expect.stringContaining('status 503') });
  });

  it('that wants a pause of hours gets the failure with that time', async () => {
    const test = await setUp();
    const { id } = await startRefused(test, 429, { 'retry-after': '7200' });
    expect((await pullUntil(test.store, id, 'failed')).error).toEqual({
      code: 'hub_failed',
      message: 'The hub could not be read: the hub answered with status 429.',
      fix: 'Pull again later; what arrived is kept.',
      details: {},
    });
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({ code: 'hub_failed', retryAfterSeconds: 7200 });
  });

  /** The hub refuses downloads, once the header was read. */
  async function startRefused(test: { hub: FakeHub } & TestStore, status: number, headers: Record<string, string>) {
    test.hub.faults.onRequest = (_request, response, url) => {
      if (!url.pathname.startsWith('/store/') || test.hub.served.length === 0) return false;
      response.writeHead(status, headers).end('slow down');
      return true;
    };
    return test.store.pull(wish, never);
  }
});

describe('a hub that sends something else', () => {
  const cases: [string, string, (hub: FakeHub) => void][] = [
    [
      'another file of the same length',
      'checksum_mismatch',
      (hub) =>
        breakBodies(hub, 9, (response, bytes) => {
          const wrong = Buffer.from(bytes);
          wrong[wrong.length - 1] = wrong.at(-1)! ^ 1;
          response.end(wrong);
        }),
    ],
    [
      'a web page',
      'html',
      (hub) => {
        hub.faults.onRequest = (_request, response, url) => {
          if (!url.pathname.startsWith('/store/') || hub.served.length === 0) return false;
          response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Please sign in</html>');
          return true;
        };
      },
    ],
    [
      'more than it lists',
      'bad_length',
      (hub) => {
        hub.faults.onRequest = (_request, response, url) => {
          if (!url.pathname.startsWith('/store/') || hub.served.length === 0) return false;
          response.writeHead(200, { 'content-type': 'application/octet-stream' });
          response.end(Buffer.concat([hub.files[0]!.bytes, Buffer.alloc(10)]));
          return true;
        };
      },
    ],
    [
      'another length in Content-Range',
      'bad_length',
      (hub) => {
        hub.faults.onRequest = (_request, response, url) => {
          if (!url.pathname.startsWith('/store/') || hub.served.length === 0) return false;
          response.writeHead(206, { 'content-range': 'bytes 0-99/100' }).end(Buffer.alloc(100));
          return true;
        };
      },
    ],
    [
      'another range',
      'bad_range',
      (hub) => {
        hub.faults.onRequest = (_request, response, url) => {
          if (!url.pathname.startsWith('/store/') || hub.served.length === 0) return false;
          response
            .writeHead(206, { 'content-range': `bytes 7-99/${hub.files[0]!.bytes.length}` })
            .end(Buffer.alloc(93));
          return true;
        };
      },
    ],
    [
      'another file by its X-Linked-ETag',
      'changed',
      (hub) => {
        hub.faults.onResolve = (headers) =>
          hub.served.length === 0 ? headers : { ...headers, 'x-linked-etag': `"${sha256(Buffer.from('other'))}"` };
      },
    ],
    [
      'a compressed body',
      'encoded',
      (hub) => {
        hub.faults.onRequest = (_request, response, url) => {
          if (!url.pathname.startsWith('/store/') || hub.served.length === 0) return false;
          response.writeHead(200, { 'content-encoding': 'gzip' }).end('bomb');
          return true;
        };
      },
    ],
  ];

  it.each(cases)('%s: fails with the reason %s, and nothing gets a name', async (_what, reason, fault) => {
    const test = await setUp();
    fault(test.hub);
    const failed = await pullToEnd(test);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'hub_answer_invalid', details: { reason } } });
    const left = await readdir(join(test.folder, fakeRepository));
    expect(left).not.toContain(name);
    expect(test.events).toContainEqual(expect.objectContaining({ type: 'pull-ended', result: 'hub_answer_invalid' }));
  });

  it('of which the checksum is wrong is deleted, so that the next pull begins anew', async () => {
    const test = await setUp();
    breakBodies(test.hub, 1, (response, bytes) => void response.end(Buffer.alloc(bytes.length)));
    const failed = await pullToEnd(test);
    expect(failed.error?.details).toMatchObject({ expected: sha256(test.hub.files[0]!.bytes) });
    expect(await readdir(join(test.folder, fakeRepository))).toEqual([]);
    expect((await pullToEnd(test)).state).toBe('done');
  });

  it('such as a listing with paths that lead out is refused, and no file is written', async () => {
    const test = await setUp();
    for (const path of ['../evil.gguf', '/etc/evil.gguf', 'a/../../evil.gguf', 'a\\evil.gguf']) {
      test.hub.faults.onListing = (entry) => ({ ...entry, path });
      await expect(test.store.pull(wish, never)).rejects.toMatchObject({
        code: 'hub_answer_invalid',
        details: { reason: 'bad_path' },
      });
    }
    await expect(stat(test.folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['a page', 'text/html', '<html></html>', 'not_json'],
    ['broken JSON', 'application/json', '{"sha":', 'bad_json'],
    ['JSON without the commit', 'application/json', '{"id":"x"}', 'bad_json'],
    ['JSON that is nested without an end', 'application/json', '['.repeat(200_000), 'bad_json'],
    ['JSON without an end', 'application/json', `"${'x'.repeat(17 * 2 ** 20)}"`, 'too_large'],
  ])('such as %s instead of the repository is refused', async (_what, type, body, reason) => {
    const test = await setUp();
    test.hub.faults.onRequest = (_request, response) => {
      response.writeHead(200, { 'content-type': type }).end(body);
      return true;
    };
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({
      code: 'hub_answer_invalid',
      details: { reason },
    });
  });

  it.each([
    [401, 'hub_access_denied'],
    [403, 'hub_access_denied'],
    [404, 'model_not_found'],
    [500, 'hub_failed'],
    [418, 'hub_answer_invalid'],
  ])('such as status %i is answered with %s', async (status, code) => {
    const test = await setUp();
    test.hub.faults.onRequest = (_request, response) => {
      response.writeHead(status).end();
      return true;
    };
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({ code });
  });
});

describe('a redirect', () => {
  it.each([
    ['to a host that is not allowed', 'http://evil.example/x', 'host_refused'],
    ['to a name that only begins like an allowed one', 'http://localhost.evil.example/x', 'host_refused'],
    ['to a file', 'file:///etc/passwd', 'scheme_refused'],
    ['with a user name', 'http://user@localhost/x', 'host_refused'],
  ])('%s is refused', async (_what, location, reason) => {
    const test = await setUp();
    test.hub.faults.redirectTo = () => location;
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({
      code: 'hub_answer_invalid',
      details: { reason },
    });
  });

  it('without an end is refused after five', async () => {
    const test = await setUp();
    test.hub.faults.onRequest = (_request, response, url) => {
      if (!url.pathname.includes('/resolve/')) return false;
      response.writeHead(302, { location: url.pathname }).end();
      return true;
    };
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({ details: { reason: 'too_many_redirects' } });
    expect(test.hub.requests.filter(({ path }) => path.includes('/resolve/'))).toHaveLength(6);
  });

  it.each([
    ['a name of a private network', [{ address: '192.168.1.5', family: 4 }]],
    [
      'a name with one public and one local address',
      [
        { address: '1.1.1.1', family: 4 },
        { address: '::1', family: 6 },
      ],
    ],
    ['a name of the metadata service', [{ address: '169.254.169.254', family: 4 }]],
  ])('to %s is refused before anything is connected to', async (_what, addresses) => {
    const asked: string[] = [];
    const hub = await startFakeHub([{ path: name, bytes: modelBytes(1_000) }]);
    const test = await testStore(hub, {
      // The hub itself has a name that leads to the test's server only for its own requests.
      settings: { allowPrivate: false, endpoint: hub.endpoint.replace('127.0.0.1', 'hub.test'), hosts: ['cdn.test'] },
      deps: {
        lookUpHost: async (host) => {
          asked.push(host);
          return addresses;
        },
      },
    });
    open.push(hub, test);
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({
      code: 'hub_answer_invalid',
      details: { reason: 'private_address', host: 'hub.test' },
    });
    expect(asked).toEqual(['hub.test']);
    expect(hub.requests).toEqual([]);
  });

  it('to an address of this machine, written in any way, is refused unless that is configured', async () => {
    const test = await setUp({ settings: { allowPrivate: false } });
    await expect(test.store.pull(wish, never)).rejects.toMatchObject({
      details: { reason: 'private_address', host: '127.0.0.1' },
      fix: 'Set models.pull_allow_private if your hub is in your own network.',
    });
    expect(test.hub.requests).toEqual([]);
  });
});

describe('what an earlier run left', () => {
  /** Cuts the first body, and stops the store while it waits. */
  async function interrupted(bytes = 200_000) {
    const test = await setUp();
    breakBodies(test.hub, 1, cutAfter(bytes));
    const { id } = await test.store.pull(wish, never);
    await pullUntil(test.store, id, 'waiting');
    await test.store.close();
    return { ...test, id };
  }

  it('is listed with what is on disk, and goes on when the server is told to', async () => {
    const test = await interrupted();
    const next = test.restarted();
    await next.store.restore();
    expect(next.store.pulls()).toMatchObject([{ id: test.id, state: 'resumable', model: 'Tiny:q4_0' }]);
    const received = next.store.getPull(test.id).receivedBytes;
    expect(received).toBe((await stat(partOf(next))).size);
    expect(received).toBeGreaterThan(0);
    await next.store.close();
    const third = test.restarted();
    await third.store.restore();
    third.store.resume();
    expect((await pullUntil(third.store, test.id, 'done')).state).toBe('done');
    expect(test.hub.served.at(-1)!.startBytes).toBe(received);
    expect((await finished(third)).equals(test.hub.files[0]!.bytes)).toBe(true);
    await third.store.close();
    const fourth = test.restarted();
    await fourth.store.restore();
    fourth.store.resume();
    expect(fourth.store.pulls()).toEqual([]);
  });

  it('goes on under its id when it is pulled again', async () => {
    const test = await interrupted();
    const next = test.restarted();
    await next.store.restore();
    const pull = await next.store.pull(wish, never);
    expect(pull.id).toBe(test.id);
    expect((await pullUntil(next.store, pull.id, 'done')).state).toBe('done');
    expect(test.hub.served.at(-1)!.startBytes).toBeGreaterThan(0);
  });

  it('does not go on by itself after a person has cancelled it', async () => {
    const test = await setUp();
    breakBodies(test.hub, 1, cutAfter(200_000));
    const { id } = await test.store.pull(wish, never);
    await pullUntil(test.store, id, 'waiting');
    const cancelled = await test.store.cancelPull(id, { discard: false });
    expect(cancelled.state).toBe('cancelled');
    expect((await stat(partOf(test))).size).toBe(cancelled.receivedBytes);
    await test.store.close();
    const next = test.restarted();
    await next.store.restore();
    next.store.resume();
    expect(next.store.pulls()).toMatchObject([{ id, state: 'resumable' }]);
    await next.store.cancelPull(id, { discard: true });
    expect(next.store.pulls()).toEqual([]);
    expect(await readdir(join(next.folder, fakeRepository))).toEqual([]);
  });

  it.each([
    ['a longer part than was made durable is cut back', async (part: string) => appendFile(part, 'rubbish'), true],
    ['a part that lost its end begins anew', async (part: string) => truncate(part, 10), false],
    ['a part without its sidecar begins anew', async (part: string) => writeFile(`${part}.json`, ''), false],
    [
      'a part of another file begins anew',
      async (part: string) => {
        const sidecar = JSON.parse(await readFile(`${part}.json`, 'utf8'));
        sidecar.hash.digest = sha256(Buffer.from('other'));
        await writeFile(`${part}.json`, JSON.stringify(sidecar));
      },
      false,
    ],
    [
      'a part whose etag is another one begins anew',
      async (part: string) => {
        const sidecar = JSON.parse(await readFile(`${part}.json`, 'utf8'));
        await writeFile(`${part}.json`, JSON.stringify({ ...sidecar, etag: 'other' }));
      },
      false,
    ],
  ])('%s', async (_what, damage, keeps) => {
    const test = await interrupted();
    await damage(partOf(test));
    const next = test.restarted();
    const pull = await next.store.pull(wish, never);
    expect((await pullUntil(next.store, pull.id, 'done')).error).toBeNull();
    expect(test.hub.served.at(-1)!.startBytes > 0).toBe(keeps);
    expect((await finished(next)).equals(test.hub.files[0]!.bytes)).toBe(true);
  });

  it('with a damaged byte is found by its checksum', async () => {
    const test = await interrupted();
    const part = partOf(test);
    const bytes = await readFile(part);
    bytes[1_000] = bytes[1_000]! ^ 1;
    await writeFile(part, bytes);
    const next = test.restarted();
    const pull = await next.store.pull(wish, never);
    expect((await pullUntil(next.store, pull.id, 'failed')).error).toMatchObject({
      code: 'hub_answer_invalid',
      details: { reason: 'checksum_mismatch' },
    });
  });

  it('with a list that cannot be read begins with an empty one', async () => {
    const test = await interrupted();
    await writeFile(join(test.dataFolder, 'pulls.json'), '{"version":1,"pulls":[{}]}');
    const next = test.restarted();
    await next.store.restore();
    next.store.resume();
    expect(next.store.pulls()).toEqual([]);
  });
});

describe('a model folder', () => {
  it('that cannot be written to fails the pull with a typed error', async () => {
    const test = await setUp();
    await mkdir(join(test.folder, 'maker'), { recursive: true });
    await writeFile(join(test.folder, fakeRepository), 'a file where a folder belongs');
    const failed = await pullToEnd(test);
    expect(failed.error).toMatchObject({ code: 'storage_unavailable', details: { reason: 'not_writable' } });
  });
});
