import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { createLocalKey } from '../../src/files/local-key.ts';
import { createHarness, testConfig } from '../http/harness.ts';
import { runCli } from '../support/run-cli.ts';
import { repositoryRoot } from '../support/server.ts';

const key = 'secret-key';
let folder: string;
let servers: Server[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-connect-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

/** What `hearth list` prints, with the key configured. */
async function list(server: Partial<Config['server']>) {
  const config = testConfig({ apiKeys: [key], ...server }, { folder: join(folder, 'models') });
  const { text, failures, code } = await runCli({ ...config, dataFolder: folder }, ['list']);
  return { text, notes: failures, code };
}

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A server of somebody's, and every request that it got. */
async function serving(answer: RequestListener) {
  const requests: IncomingMessage[] = [];
  const server = createServer({ keepAliveTimeout: 1 }, (request, response) => {
    requests.push(request);
    answer(request, response);
  });
  return { port: await listening(server), requests };
}

const json =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** What a Hearth with one model answers. */
const likeHearth: RequestListener = (request, response) => {
  const variants = [{ quantization: 'q4_0', size_bytes: 3_000_000, reason: null }];
  const models = [{ name: 'Tiny', state: 'loaded', quantization: 'q4_0', variants }];
  json(request.url?.endsWith('/health') ? { server: 'hearth', version: '9.9.9' } : { models })(request, response);
};

const sent = (requests: IncomingMessage[]) => requests.map(({ url, headers }) => [url, headers.authorization ?? null]);

describe('a server that is Hearth', () => {
  it('gets the key, after it has said who it is', async () => {
    const { port, requests } = await serving(likeHearth);
    expect(await list({ port })).toEqual({
      text: 'MODEL      SIZE  STATE   ALSO\nTiny:q4_0  3 MB  loaded\n',
      notes: [],
      code: 0,
    });
    expect(sent(requests)).toEqual([
      ['/health', null],
      ['/models', `Bearer ${key}`],
    ]);
  });

  it.each([
    ['gets the key that it left for this machine where the configuration has none', 0],
    ['does not get what another server left', 1],
  ])('%s', async (_title, portsAway) => {
    const { port, requests } = await serving(likeHearth);
    const localKey = createLocalKey(folder);
    localKey.publish(port + portsAway);
    await list({ port, apiKeys: [] });
    const expected = portsAway === 0 ? `Bearer ${localKey.key}` : null;
    expect(sent(requests)).toEqual([
      ['/health', null],
      ['/models', expected],
    ]);
  });

  it('is found at HEARTH_URL, under a path too', async () => {
    const { port, requests } = await serving(likeHearth);
    const { code } = await list({ port: 1, url: `http://127.0.0.1:${port}/hearth/` });
    expect(code).toBe(0);
    expect(sent(requests).map(([url]) => url)).toEqual(['/hearth/health', '/hearth/models']);
  });

  it('refuses another key in words', async () => {
    const harness = await createHarness({ apiKeys: ['another-key'] });
    const { port } = new URL(await harness.http.listen());
    const { code, text, notes } = await list({ port: Number(port) });
    await harness.close();
    expect({ code, text, notes }).toEqual({
      code: 1,
      text: '',
      notes: ['The API key is not valid. Set HEARTH_API_KEY to a key of that server.'],
    });
  });

  it('does not lead the key elsewhere', async () => {
    const other = await serving(json({}));
    const { port } = await serving((request, response) => {
      if (request.url === '/health') likeHearth(request, response);
      else response.writeHead(307, { location: `http://127.0.0.1:${other.port}/models` }).end();
    });
    const { code, notes } = await list({ port });
    expect({ code, notes }).toEqual({ code: 1, notes: [`The connection to http://127.0.0.1:${port} broke.`] });
    expect(other.requests).toEqual([]);
  });

  it('of another version gives no answer that is not understood', async () => {
    const { port } = await serving((request, response) => {
      if (request.url === '/health') likeHearth(request, response);
      else json({ models: 'many' })(request, response);
    });
    const { code, notes } = await list({ port });
    expect(code).toBe(1);
    expect(notes[0]).toMatch(/^The server at .* gave an answer that this version cannot read\./);
  });
});

describe('somebody else on the port', () => {
  it.each<[string, RequestListener]>([
    ['another server with a health report', json({ status: 'healthy', version: '1.0.0', clients_initialized: true })],
    ['a server that asks for a key', json({ error: 'unauthorized' }, 401)],
    ['a server that sends on', (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['a page', (_request, response) => response.end('<html>"server":"hearth"</html>')],
    [
      'a server that does not end',
      (_request, response) => {
        const write = () => {
          while (response.write('x'.repeat(65_536)));
        };
        response.on('drain', write);
        write();
      },
    ],
  ])('%s gets no key; the command says so and works by itself', async (_title, answer) => {
    const { port, requests } = await serving(answer);
    const { text, notes, code } = await list({ port });
    expect(code).toBe(0);
    expect(text).toMatch(/^hearth-guide-3m:q8_0 /m);
    expect(notes).toEqual([expect.stringMatching(`^what answers at http://127.0.0.1:${port} is not Hearth .*no key`)]);
    expect(sent(requests)).toEqual([['/health', null]]);
    expect(JSON.stringify(requests.map(({ rawHeaders }) => rawHeaders))).not.toContain(key);
  });

  it('that does not speak HTTP gets no key', async () => {
    let received = '';
    const port = await listening(
      createSocketServer((socket) => {
        socket.on('data', (data) => {
          received += data;
          socket.end('220 mail.example ESMTP\r\n');
        });
      }),
    );
    const { code, notes } = await list({ port });
    expect(code).toBe(0);
    expect(notes).toEqual([expect.stringContaining('is not Hearth')]);
    expect(received).toMatch(/^GET \/health /);
    expect(received).not.toContain(key);
  });
});

describe('nobody on the port', () => {
  /** A port on which nobody listens. */
  async function closedPort(): Promise<number> {
    const port = await listening(createSocketServer());
    await new Promise((resolve) => servers.pop()?.close(resolve));
    return port;
  }

  it('is no reason for a word: the command works by itself', async () => {
    const { text, notes, code } = await list({ port: await closedPort() });
    expect({ notes, code }).toEqual({ notes: [], code: 0 });
    expect(text).toMatch(/^hearth-guide-3m:q8_0 /m);
  });

  it('at HEARTH_URL ends the command: it would work on the wrong files', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    await expect(list({ url })).rejects.toThrow(`no Hearth answers at ${url} (ECONNREFUSED); no key was sent.`);
  });

  it('nor Hearth at HEARTH_URL ends it too, without a key', async () => {
    const { port, requests } = await serving(json({ status: 'ok' }));
    await expect(list({ url: `http://127.0.0.1:${port}` })).rejects.toThrow(/no Hearth answers .*status 200.*no key/);
    expect(sent(requests)).toEqual([['/health', null]]);
  });
});

describe('a server behind TLS', () => {
  const pem = (name: string) => readFile(join(repositoryRoot, 'test', 'fixtures', 'tls', name), 'utf8');

  it('is asked when its certificate is trusted, and gets nothing when it is not', async () => {
    const requests: IncomingMessage[] = [];
    const certificate = await pem('certificate.pem');
    const tls = createTlsServer({ key: await pem('key.pem'), cert: certificate }, (request, response) => {
      requests.push(request);
      likeHearth(request, response);
    });
    const url = `https://localhost:${await listening(tls)}`;
    await expect(list({ url })).rejects.toThrow(/no Hearth answers .*self-signed certificate.*NODE_EXTRA_CA_CERTS/);
    expect(requests).toEqual([]);

    const usual = getCACertificates();
    setDefaultCACertificates([...usual, certificate]);
    try {
      expect(await list({ url })).toMatchObject({ code: 0, notes: [], text: expect.stringContaining('Tiny:q4_0') });
    } finally {
      setDefaultCACertificates(usual);
    }
    expect(sent(requests).map(([, authorization]) => authorization)).toEqual([null, `Bearer ${key}`]);
    tls.closeAllConnections();
  });

  it('is no server in the open: the address is refused without a key', async () => {
    const { port, requests } = await serving(likeHearth);
    await expect(list({ url: `https://127.0.0.1:${port}` })).rejects.toThrow(
      /no Hearth answers at https:.*wrong version number.*no key/,
    );
    expect(requests).toEqual([]);
  });
});
