import { afterEach, describe, expect, it } from 'vitest';
import { createHubHttp } from '../../../src/store/hub/hub-http.ts';
import { createListing } from '../../../src/store/hub/listing.ts';
import { type FakeHub, fakeRepository, json, sha256, startFakeHub } from '../../support/fake-hub.ts';
import { manualClock } from '../../support/manual-clock.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const file = (path: string, inGit = false) => ({ path, bytes: Buffer.from(path), inGit });

async function setUp(files = [file('A-Q4_0.gguf')], pageSize = 1_000) {
  const hub = await startFakeHub(files, { pageSize });
  const endpoint = new URL(hub.endpoint);
  const http = createHubHttp({
    rules: { endpoint, hosts: ['localhost'], allowPrivate: true },
    token: 'hf_secret',
    clock: manualClock(),
    stallMs: 30_000,
    userAgent: 'hearth/0',
    proxy: null,
  });
  open.push(hub, http);
  const { list } = createListing({ http, base: hub.endpoint });
  return { hub, list: (signal = new AbortController().signal) => list(fakeRepository, 'main', signal) };
}

/** Says that the list goes on there. */
function continueAt(hub: FakeHub, link: string): void {
  hub.faults.onRequest = (_request, response, url) => {
    if (!url.pathname.includes('/tree/')) return false;
    response.setHeader('link', `<${link}>; rel="next"`);
    json(response, []);
    return true;
  };
}

describe('the listing of a repository', () => {
  it('has the commit of the revision, and every GGUF file with its size and checksum', async () => {
    const { hub, list } = await setUp([file('A-Q4_0.gguf'), file('deep/B.gguf', true), file('README.md')], 2);
    const [large, small] = hub.files;
    expect(await list()).toEqual({
      commit: hub.commit,
      files: [
        { path: 'A-Q4_0.gguf', sizeBytes: 11, hash: { algorithm: 'sha256', digest: sha256(large!.bytes) } },
        {
          path: 'deep/B.gguf',
          sizeBytes: small!.bytes.length,
          hash: expect.objectContaining({ algorithm: 'git-sha1' }),
        },
      ],
    });
    expect(hub.requests.map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer hf_secret'));
  });

  it('is not looked for on another host, which hears nothing', async () => {
    const { hub, list } = await setUp();
    continueAt(hub, hub.endpoint.replace('127.0.0.1', 'localhost'));
    await expect(list()).rejects.toMatchObject({ code: 'hub_answer_invalid', details: { reason: 'bad_link' } });
    expect(hub.requests).toHaveLength(2);
  });

  it('that does not end is given up', async () => {
    const { hub, list } = await setUp();
    continueAt(hub, `${hub.endpoint}/api/models/${fakeRepository}/tree/${hub.commit}?cursor=1`);
    await expect(list()).rejects.toMatchObject({ details: { reason: 'too_many_files' } });
    expect(hub.requests).toHaveLength(33);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['without a checksum', { lfs: undefined, oid: undefined }, 'no_checksum'],
    ['without a size', { lfs: undefined, size: undefined }, 'no_checksum'],
    ['with a size that is none', { lfs: { oid: 'a'.repeat(64), size: -1 } }, 'bad_json'],
    ['with a checksum that is none', { lfs: { oid: 'a', size: 1 } }, 'bad_json'],
    ['without a path', { path: null }, 'bad_json'],
  ])('with a file %s is refused', async (_what, change, reason) => {
    const { hub, list } = await setUp();
    hub.faults.onListing = (entry) => ({ ...entry, ...change });
    await expect(list()).rejects.toMatchObject({ code: 'hub_answer_invalid', details: { reason } });
  });

  it.each([
    ['of another kind', { error: 'no list' }],
    ['of nothing', null],
  ])('%s is refused', async (_what, body) => {
    const { hub, list } = await setUp();
    hub.faults.onRequest = (_request, response, url) => {
      if (!url.pathname.includes('/tree/')) return false;
      json(response, body);
      return true;
    };
    await expect(list()).rejects.toMatchObject({
      message: 'The hub answered in a form that is not known.',
      details: { reason: 'bad_json' },
    });
  });

  it('ends with the reason of the signal', async () => {
    const { hub, list } = await setUp();
    const cancel = new AbortController();
    hub.faults.onRequest = () => {
      cancel.abort(new Error('enough'));
      return true;
    };
    await expect(list(cancel.signal)).rejects.toThrow('enough');
  });
});
