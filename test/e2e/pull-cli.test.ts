import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHub, fakeRepository, startFakeHub } from '../support/fake-hub.ts';
import { modelBytes } from '../support/model-bytes.ts';
import { cleanEnvironment, repositoryRoot, startServer } from '../support/server.ts';

const name = 'Tiny-Q4_0.gguf';
let hub: FakeHub;
let root: string;
let models: string;
beforeEach(async () => {
  hub = await startFakeHub([{ path: name, bytes: modelBytes(3_000_000) }]);
  root = await mkdtemp(join(tmpdir(), 'hearth-cli-'));
  models = join(root, 'models');
});
afterEach(async () => {
  await hub.close();
  await rm(root, { recursive: true, force: true });
});

const hubEnv = () => ({
  HF_ENDPOINT: hub.endpoint,
  HF_TOKEN: 'hf_secret',
  HEARTH_PULL_ALLOW_PRIVATE: '1',
  HEARTH_PULL_HOSTS: 'localhost',
  HEARTH_PULL_RESERVE: '0',
});

/** Runs `hearth`; `onText` sees what it prints and may stop it. */
function hearth(port: number, args: string[], onText?: (text: string, stop: () => void) => void) {
  const all = ['src/main.ts', '--port', String(port), '--data', join(root, 'data'), '--models', models, ...args];
  const child = spawn(process.execPath, all, { cwd: repositoryRoot, env: cleanEnvironment(hubEnv()) });
  let stdout = '';
  let stderr = '';
  let isStopped = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    onText?.(stdout, () => {
      // A second one would not wait for the first.
      if (!isStopped) child.kill('SIGINT');
      isStopped = true;
    });
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('without a server', () => {
  it('hearth pulls, lists, imports and removes by itself', async () => {
    const port = await closedPort();
    const pulled = await hearth(port, ['pull', `hf.co/${fakeRepository}:q4_0`]);
    expect(pulled).toMatchObject({ code: 0, stderr: '' });
    const lines = pulled.stdout.trim().split('\n');
    expect(lines[0]).toBe('Tiny:q4_0 from maker/tiny-GGUF, 3 MB');
    expect(lines[1]).toMatch(/^Fits: 0\.\d GB of \d+\.\d GB, with 512 tokens/);
    expect(lines.at(-1)).toBe('Tiny:q4_0 is ready.');
    expect(await readdir(join(models, fakeRepository))).toEqual([name]);

    await writeFile(join(root, 'Own-Q8_0.gguf'), modelBytes(1_000));
    expect(await hearth(port, ['import', join(root, 'Own-Q8_0.gguf')])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Own:q8_0 is ready, \d+ kB\.\n$/),
    });
    expect((await stat(join(models, 'Own-Q8_0.gguf'))).nlink).toBe(2);

    const listed = await hearth(port, ['ls', '--json']);
    expect(JSON.parse(listed.stdout).map(({ model }: { model: string }) => model)).toEqual([
      'hearth-guide-3m:q8_0',
      'Own:q8_0',
      'Tiny:q4_0',
    ]);
    expect((await hearth(port, ['rm', 'tiny', 'own'])).stdout).toMatch(
      /^Tiny:q4_0 is deleted, 3 MB freed\.\nOwn:q8_0 is/,
    );
    expect(await readdir(models)).toEqual(['maker']);
    expect(await hearth(port, ['rm', 'hearth-guide-3m'])).toMatchObject({
      code: 1,
      stderr: 'hearth: hearth-guide-3m came with Hearth and is not deleted. Choose another model as default instead.\n',
    });
    expect(hub.served.every(({ authorization }) => authorization === null)).toBe(true);
  });

  it('a pull that is interrupted goes on with the same command', async () => {
    const port = await closedPort();
    const size = hub.files[0]!.bytes.length;
    hub.faults.onBody = (response, bytes, { endBytes, startBytes }) => {
      if (endBytes === size && startBytes === 0) response.write(bytes.subarray(0, 2_000_000));
      else response.end(bytes);
    };
    const command = ['pull', `hf:${fakeRepository}:q4_0`];
    const first = await hearth(port, command, (text, stop) => {
      if (/downloading: [12] MB/.test(text)) stop();
    });
    expect(first).toMatchObject({ code: 130, stderr: 'hearth: Stopped. The same command goes on where it was.\n' });
    expect((await hearth(port, ['pulls'])).stdout).toMatch(/ resumable +Tiny:q4_0 +\[#+\.+\]/);
    expect((await hearth(port, command)).code).toBe(0);
    expect(hub.served.at(-1)!.startBytes).toBeGreaterThan(0);
  });

  it('a refused pull prints one line with the way out', async () => {
    const refused = await hearth(await closedPort(), ['pull', `${fakeRepository}:q8_0`]);
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr: 'hearth: The repository maker/tiny-GGUF has no q8_0. It has q4_0.\n',
    });
  });
});

describe('with a server', () => {
  it('hearth asks it, and the model is there at once; a restart goes on with what was not finished', async () => {
    const start = () => startServer({ models, env: hubEnv(), args: ['--data', join(root, 'data')] });
    let server = await start();
    const size = hub.files[0]!.bytes.length;
    hub.faults.onBody = (response, bytes, { endBytes, startBytes }) => {
      if (endBytes === size && startBytes === 0) response.write(bytes.subarray(0, 2_000_000));
      else response.end(bytes);
    };
    const portOf = () => Number(new URL(server.baseUrl).port);
    const left = await hearth(portOf(), ['pull', `hf.co/${fakeRepository}`], (text, stop) => {
      if (/downloading: [12] MB/.test(text)) stop();
    });
    expect(left.code).toBe(130);
    expect(left.stderr).toMatch(/^hearth: The server goes on with it; "\.\/hearth pulls" shows it/);
    await server.stop();

    server = await start();
    const { pulls } = (await (await fetch(`${server.baseUrl}/models/pulls`)).json()) as { pulls: { id: string }[] };
    const events = await (await fetch(`${server.baseUrl}/models/pull/${pulls[0]!.id}/events`)).text();
    expect(events.trim().split('\n\n').at(-1)).toMatch(/^event: done\ndata: .*"percent":100/);
    expect(hub.served.at(-1)!.startBytes).toBeGreaterThan(0);
    const listed = await hearth(portOf(), ['list']);
    expect(listed.stdout).toMatch(/^Tiny:q4_0 +3 MB {2}unloaded/m);
    expect((await hearth(portOf(), ['rm', 'tiny:q4_0'])).stdout).toBe('Tiny:q4_0 is deleted, 3 MB freed.\n');
    expect(await (await fetch(`${server.baseUrl}/models/tiny`)).json()).toMatchObject({
      error: { code: 'MODEL_NOT_FOUND' },
    });
    await server.stop();
  });
});
