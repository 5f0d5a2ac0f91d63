import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from './harness.ts';

const index = '<!doctype html><script type="module" src="./assets/index-abc.js"></script>';
const script = `console.log('${'x'.repeat(2_000)}');`;
let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
});
afterEach(() => harness.close());

/** As a build leaves it. */
function build(text = index): void {
  mkdirSync(join(harness.pageFolder, 'assets'), { recursive: true });
  writeFileSync(join(harness.pageFolder, 'index.html'), text);
  writeFileSync(join(harness.pageFolder, 'assets/index-abc.js'), script);
  writeFileSync(join(harness.pageFolder, 'notes.txt'), 'none of the page');
}
const get = (url: string, headers: Record<string, string> = {}) => harness.send('GET', url, undefined, headers);

describe('the page at /ui', () => {
  it('asks for no key, and is never older than what was built', async () => {
    build();
    const first = await get('/ui/');
    expect([first.statusCode, first.body]).toEqual([200, index]);
    expect(first.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
    const again = await get('/ui/', { 'if-none-match': `W/"other", ${first.headers.etag}` });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    build(`${index}<p>new</p>`);
    utimesSync(join(harness.pageFolder, 'index.html'), 2_000_000_000, 2_000_000_000);
    expect((await get('/ui/', { 'if-none-match': String(first.headers.etag) })).body).toContain('new');
  });

  it('has files that are kept for ever, and are sent small where that can be read', async () => {
    build();
    const plain = await get('/ui/assets/index-abc.js');
    expect(plain.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
    });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.body).toBe(script);
    const small = await get('/ui/assets/index-abc.js', { 'accept-encoding': 'br, gzip' });
    expect(small.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(small.rawPayload).toString()).toBe(script);
    expect((await get('/ui/assets/index-abc.js', { 'accept-encoding': 'gzip;q=0' })).body).toBe(script);
  });

  it('lets nothing run that is not a file of this server', async () => {
    build();
    const policy = String((await get('/ui/')).headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it('leads to its own folder by an address that holds below any path', async () => {
    build();
    const response = await get('/ui');
    expect([response.statusCode, response.headers.location]).toEqual([302, 'ui/']);
  });

  it.each(['/ui/assets/none.js', '/ui/notes.txt', '/ui/..%2f..%2fpackage.json', '/ui/%2e%2e/app.ts'])(
    'has nothing at %s',
    async (url) => {
      build();
      expect([401, 404]).toContain((await get(url)).statusCode);
    },
  );

  it('says how it is built where it was not', async () => {
    const response = await get('/ui/');
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(response.body).toContain('npm run build:ui');
    build();
    expect((await get('/ui/')).statusCode).toBe(200);
  });
});
