import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHubHttp } from '../../../src/store/hub/hub-http.ts';
import { isProxied } from '../../../src/store/hub/tunnel.ts';
import { manualClock } from '../../support/manual-clock.ts';

describe('a URL', () => {
  it.each([
    ['https://huggingface.co/x', [], true],
    ['http://hub.lan/x', [], false],
    ['https://huggingface.co/x', ['*'], false],
    ['https://huggingface.co/x', ['huggingface.co'], false],
    ['https://cdn.huggingface.co/x', ['huggingface.co'], false],
    ['https://cdn.huggingface.co/x', ['.huggingface.co'], false],
    ['https://cdn.huggingface.co/x', ['*.HuggingFace.co'], false],
    ['https://nothuggingface.co/x', ['huggingface.co'], true],
    ['https://huggingface.co/x', ['huggingface.co:443'], false],
    ['https://huggingface.co/x', ['huggingface.co:8443'], true],
    ['https://huggingface.co/x', ['localhost', '10.0.0.0/8', ''], true],
  ])('%s, except %j, goes through the proxy: %s', (url, except, expected) => {
    expect(isProxied(new URL(url), { url: new URL('http://proxy.lan'), except })).toBe(expected);
  });
});

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasOpenssl)('a pull through a proxy (needs openssl for a certificate)', () => {
  let folder: string;
  let tls: { key: string; cert: string };
  const closing: (() => void)[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-tunnel-'));
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const names = ['-subj', '/CN=hub.test', '-addext', 'subjectAltName=DNS:hub.test,DNS:cdn.test'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  async function listen(server: Server): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    closing.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  /** A hub and its store of files, both behind one proxy that connects or does what `answer` says. */
  async function setUp(answer?: (request: IncomingMessage, socket: Socket) => void) {
    const seen: { connects: string[]; authorizations: unknown[] } = { connects: [], authorizations: [] };
    const hub = createHttpsServer(tls, (request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: 'https://cdn.test/file' }).end();
      else if (request.url === '/away') response.writeHead(302, { location: 'https://evil.test/file' }).end();
      else response.end(`${request.headers.host}${request.url} ${request.headers.authorization ?? 'no token'}`);
    });
    const hubPort = await listen(hub);
    const proxy = createHttpServer();
    const asked = Promise.withResolvers<void>();
    proxy.on('connect', (request, socket: Socket) => {
      seen.connects.push(request.url!);
      seen.authorizations.push(request.headers['proxy-authorization']);
      asked.resolve();
      socket.on('error', () => {});
      if (answer) return void answer(request, socket);
      const upstream = connect(hubPort, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
    });
    const proxyPort = await listen(proxy);
    const clock = manualClock();
    const http = createHubHttp({
      rules: { endpoint: new URL('https://hub.test'), hosts: ['cdn.test'], allowPrivate: false },
      token: 'hf_token',
      clock,
      stallMs: 30_000,
      userAgent: 'hearth/0',
      proxy: { url: new URL(`http://us:p%40ss@127.0.0.1:${proxyPort}`), except: [] },
      lookUpHost: () => Promise.reject(new Error('no name is looked up here')),
      ca: tls.cert,
    });
    closing.push(() => http.close());
    const never = new AbortController().signal;
    const get = async (url: string, signal = never) => {
      const response = await http.get(new URL(url), { signal });
      let text = '';
      for await (const chunk of response.chunks()) text += chunk.toString();
      return text;
    };
    return { seen, clock, get, asked: asked.promise };
  }

  it('asks for the host by its name, gives the proxy its password and the hub its token', async () => {
    const { get, seen } = await setUp();
    expect(await get('https://hub.test/file')).toBe('hub.test/file Bearer hf_token');
    expect(seen.connects).toEqual(['hub.test:443']);
    expect(seen.authorizations).toEqual([`Basic ${Buffer.from('us:p@ss').toString('base64')}`]);
  });

  it('checks every redirect before the proxy hears of it', async () => {
    const { get, seen } = await setUp();
    expect(await get('https://hub.test/moved')).toBe('cdn.test/file no token');
    await expect(get('https://hub.test/away')).rejects.toMatchObject({ details: { reason: 'host_refused' } });
    await expect(get('https://10.0.0.1/')).rejects.toMatchObject({ code: 'hub_answer_invalid' });
    expect(seen.connects).toEqual(['hub.test:443', 'cdn.test:443', 'hub.test:443']);
  });

  it('ends for good when the proxy refuses, and says what to do', async () => {
    const { get } = await setUp((_request, socket) => socket.end('HTTP/1.1 407 No\r\n\r\n'));
    await expect(get('https://hub.test/file')).rejects.toMatchObject({
      code: 'hub_failed',
      message: 'The proxy does not connect to hub.test:443 (status 407).',
      fix: expect.stringContaining('models.hub_proxy'),
    });
  });

  it.each<[string, (request: IncomingMessage, socket: Socket) => void, string]>([
    [
      'cannot reach the hub',
      (_, socket) => socket.end('HTTP/1.1 502 No\r\n\r\n'),
      'the proxy answered with status 502',
    ],
    ['hangs up', (_, socket) => socket.destroy(), 'the connection failed (ECONNRESET)'],
  ])('may be tried again when the proxy %s', async (_what, answer, message) => {
    const { get } = await setUp(answer);
    await expect(get('https://hub.test/file')).rejects.toMatchObject({ name: 'TransientHubError', message });
  });

  it('gives up a proxy that says nothing', async () => {
    const { get, clock, asked } = await setUp(() => {});
    const failed = expect(get('https://hub.test/file')).rejects.toThrow('nothing arrived for 30 s');
    await asked;
    clock.advance(30_000);
    await failed;
  });

  it('gives up a proxy that connects to nobody', async () => {
    const said = Promise.withResolvers<void>();
    const { get, clock } = await setUp((_request, socket) => {
      socket.once('data', () => said.resolve());
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
    });
    const failed = expect(get('https://hub.test/file')).rejects.toThrow('nothing arrived for 30 s');
    await said.promise;
    clock.advance(30_000);
    await failed;
  });

  it('stops at once when it is cancelled, and lets go of the proxy', async () => {
    const letGo = Promise.withResolvers<void>();
    const { get, asked } = await setUp((_request, socket) => void socket.resume().once('end', () => letGo.resolve()));
    const cancel = new AbortController();
    const failed = expect(get('https://hub.test/file', cancel.signal)).rejects.toThrow('enough');
    await asked;
    cancel.abort(new Error('enough'));
    await failed;
    await letGo.promise;
  });

  it('ends when the certificate is not that of the host', async () => {
    const { get } = await setUp();
    // The proxy may lead anywhere; the certificate decides.
    await expect(get('https://other.cdn.test/file')).rejects.toThrow('ERR_TLS_CERT_ALTNAME_INVALID');
  });
});
