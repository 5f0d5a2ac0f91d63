import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../support/client.ts';
import { cleanEnvironment, repositoryRoot, startServer } from '../support/server.ts';

describe('starting the server', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-start-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a start that must fail; returns what it printed. */
  const refused = (args: string[], env: Record<string, string> = {}) => {
    const run = spawnSync(process.execPath, ['src/main.ts', ...args], {
      cwd: repositoryRoot,
      env: cleanEnvironment({ HEARTH_DATA: folder, ...env }),
      encoding: 'utf8',
    });
    return { code: run.status, lines: run.stderr.trim().split('\n') };
  };

  it('prints what it serves, with which model and memory, and a curl line that works as printed', async () => {
    const server = await startServer();
    const printed = server.stdout();
    expect(printed).toContain(`is serving ${server.baseUrl}`);
    expect(printed).toMatch(/default\s+hearth-guide-3m \(q8_0\)/);
    expect(printed).toMatch(/memory\s+up to \d+\.\d GB/);
    const curl = /^ {2}(curl .*)$/m.exec(printed)?.[1];
    const answer = await new Promise<string>((resolve) => {
      const child = spawn('bash', ['-c', `${curl} -s`]);
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += chunk;
      });
      child.on('close', () => resolve(text));
    });
    expect(JSON.parse(answer).choices[0].message.content).toMatch(/^Hearth is a server for running language models/);
    await server.stop();
  });

  it('ends with npm start when that is told to, as a service manager does', async () => {
    const npm = spawn('npm', ['start', '--', '--port', '0', '--data', folder], {
      cwd: repositoryRoot,
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const baseUrl = await new Promise<string>((resolve) => {
      let printed = '';
      npm.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        const url = /is serving (http:\S+)/.exec(printed)?.[1];
        if (url) resolve(url);
      });
    });
    expect((await fetch(`${baseUrl}/livez`)).status).toBe(200);
    npm.kill('SIGTERM');
    await new Promise((resolve) => npm.on('close', resolve));
    await expect(fetch(`${baseUrl}/livez`)).rejects.toThrow();
  });

  it('takes a flag over the environment over the file over the default', async () => {
    const config = join(folder, 'hearth.yaml');
    await writeFile(
      config,
      'models:\n  default: hearth-guide-3m\n  aliases:\n    helper: hearth-guide-3m\nlog:\n  level: warn\n',
    );
    const server = await startServer({
      args: ['--config', config],
      env: { HEARTH_PORT: '1', HEARTH_LOG_LEVEL: 'debug', HEARTH_PARALLEL: '3' },
    });
    // --port 0 came from startServer and won over HEARTH_PORT, or the bind would have failed.
    expect((await ask(server.baseUrl, 'Thanks!', 'helper')).text).toBe('You are welcome!');
    const model = (await (await fetch(`${server.baseUrl}/models/helper`)).json()) as { slots: number };
    expect(model.slots).toBe(3);
    expect(server.stderr()).toContain('model loaded');
    await server.stop();
  });

  it('says in one line what is wrong with the configuration, and exits with 1', async () => {
    const config = join(folder, 'bad.yaml');
    await writeFile(config, 'server:\n  prot: 8000\n');
    const file = refused(['--config', config]);
    expect(file.code).toBe(1);
    expect(file.lines.join('\n')).toMatch(/bad\.yaml:2:\d+.*prot/);
    expect(refused(['--port', 'eighty'])).toMatchObject({ code: 1, lines: [expect.stringMatching(/port/)] });
    expect(refused([], { HEARTH_PARALLEL: '0' })).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/HEARTH_PARALLEL/)],
    });
    const unknown = refused(['--prot', '8000']);
    expect(unknown.code).toBe(1);
    expect(unknown.lines[0]).toMatch(/--prot/);
  });

  it('refuses to be open to the network without a key, and says how to be', () => {
    const open = refused(['--host', '0.0.0.0', '--port', '0']);
    expect(open.code).toBe(1);
    expect(open.lines).toHaveLength(1);
    expect(open.lines[0]).toMatch(/HEARTH_API_KEY.*HEARTH_ALLOW_ANONYMOUS/);
  });

  it('refuses folders that cannot be used', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    expect(refused(['--port', '0', '--models', file])).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/--models/)],
    });
    expect(refused(['--port', '0', '--data', join(file, 'x')])).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/data folder .*--data/)],
    });
  });

  it('refuses a data folder that another one uses, whose process it names, until that is no more', async () => {
    const data = join(folder, 'shared');
    const first = await startServer({ args: ['--data', data] });
    const { pid } = JSON.parse(await readFile(join(data, 'server.lock'), 'utf8'));
    expect(refused(['--port', '0', '--data', data])).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(new RegExp(`data folder ${data} is in use .*process ${pid}\\b.*--data`))],
    });
    // Killed, it leaves its file behind, and nobody has to take that away.
    process.kill(pid, 'SIGKILL');
    await first.ended;
    const second = await startServer({ args: ['--data', data] });
    expect(existsSync(join(data, 'server.lock'))).toBe(true);
    await second.stop();
    await expect.poll(() => existsSync(join(data, 'server.lock')), { timeout: 10_000 }).toBe(false);
  });

  it('that is stopped before it listens leaves the folder free', async () => {
    // A database that never answers: the start waits for it.
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const data = join(folder, 'stopped');
    const child = spawn(join(repositoryRoot, 'hearth'), ['--port', '0', '--data', data], {
      env: cleanEnvironment({ HEARTH_STORAGE_URL: `postgres://me:secret@127.0.0.1:${port}/hearth` }),
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve([code, signal])));
    await new Promise((resolve) => silent.once('connection', resolve));
    expect(existsSync(join(data, 'server.lock'))).toBe(true);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(existsSync(join(data, 'server.lock'))).toBe(false);
    silent.close();
  });

  it('says that the port is in use', async () => {
    const server = await startServer();
    const { port } = new URL(server.baseUrl);
    expect(refused(['--port', port])).toMatchObject({
      code: 1,
      lines: [expect.stringContaining(`port ${port} is in use`)],
    });
    await server.stop();
  });

  it('asks for the key when one is set, on every network', async () => {
    const server = await startServer({ args: ['--host', '0.0.0.0'], env: { HEARTH_API_KEY: 'correct-horse' } });
    const baseUrl = server.baseUrl.replace('0.0.0.0', '127.0.0.1');
    const models = (headers: Record<string, string>) => fetch(`${baseUrl}/v1/models`, { headers });
    expect((await models({})).status).toBe(401);
    expect((await models({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await models({ authorization: 'Bearer correct-horse' })).status).toBe(200);
    expect((await models({ 'x-api-key': 'correct-horse' })).status).toBe(200);
    expect((await fetch(`${baseUrl}/livez`)).status).toBe(200);
    expect(server.stderr()).not.toContain('correct-horse');
    await server.stop();
  });

  it('opens to commands of its own machine without a key, as long as it runs', async () => {
    const server = await startServer({ args: ['--data', folder], env: { HEARTH_API_KEY: 'correct-horse' } });
    const list = () =>
      spawnSync(join(repositoryRoot, 'hearth'), ['list', '--json'], {
        encoding: 'utf8',
        env: cleanEnvironment({ HEARTH_DATA: folder, HEARTH_URL: server.baseUrl }),
      });
    const found = list();
    expect(found.stderr).toBe('');
    expect(found.stdout).toContain('hearth-guide-3m');
    await server.stop();
    expect(readdirSync(folder)).not.toContain('local-key.json');
    expect(list().status).toBe(1);
  });
});
