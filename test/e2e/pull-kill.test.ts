import { type ChildProcess, spawn } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeHub, fakeRepository, type Served, sha256, startFakeHub } from '../support/fake-hub.ts';
import { randomFrom } from '../support/gbnf.ts';
import { modelBytes } from '../support/model-bytes.ts';
import { cleanEnvironment, repositoryRoot } from '../support/server.ts';

const kills = 100;
/** What one flush makes durable; a crash may cost no more. */
const pieceBytes = 64 * 1024;
const writeBytes = 8 * 1024;
const name = 'Tiny-Q4_0.gguf';

let hub: FakeHub;
let root: string;
let child: ChildProcess | null = null;
beforeAll(async () => {
  hub = await startFakeHub([{ path: name, bytes: modelBytes(8_000_000) }]);
  root = await mkdtemp(join(tmpdir(), 'hearth-kill-'));
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await hub.close();
  await rm(root, { recursive: true, force: true });
});

const folder = () => join(root, 'models', fakeRepository);
const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
const partSize = () => sizeOf(join(folder(), `${name}.part`));

/** Starts the process that pulls, as `child`; resolves with how it ended and what it printed. */
function run(repository = fakeRepository): Promise<{ signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
  const started = spawn(
    process.execPath,
    ['test/support/pull-child.ts', hub.endpoint, root, `hf.co/${repository}:q4_0`, String(pieceBytes)],
    {
      cwd: repositoryRoot,
      env: cleanEnvironment({ NODE_COMPILE_CACHE: join(root, 'cache') }),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  child = started;
  let stdout = '';
  let stderr = '';
  started.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  started.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => started.on('close', (_code, signal) => resolve({ signal, stdout, stderr })));
}

const isBody = ({ endBytes, startBytes }: Served) =>
  endBytes === hub.files[0]!.bytes.length && endBytes - startBytes > 0;

/** Sends no faster than the process writes, so that what was sent says what it has; kills it after `killAfter` bytes. */
async function sendAndKill(response: ServerResponse, bytes: Buffer, served: Served, killAfter: number): Promise<void> {
  // Not whichever process comes next.
  const pulling = child;
  const isAlive = () => pulling !== null && pulling.exitCode === null && pulling.signalCode === null;
  for (let sent = 0; sent < bytes.length && isAlive(); sent += writeBytes) {
    const limit = Math.min(bytes.length, sent + writeBytes);
    response.write(bytes.subarray(sent, Math.min(limit, Math.max(sent, killAfter))));
    served.sentBytes = limit;
    if (limit >= killAfter) return void pulling?.kill('SIGKILL');
    while (isAlive() && (await partSize()) < served.startBytes + limit - 4 * writeBytes) await nextTurn();
  }
  if (killAfter >= bytes.length) return void response.end(() => pulling?.kill('SIGKILL'));
  response.end();
}

/** Sends the rest at once; kills the process `delayMs` after the last byte, unless it has ended by then. */
function sendAllAndKill(response: ServerResponse, bytes: Buffer, delayMs: number): void {
  // A process that is quicker than the delay must not leave its end to the next one.
  const pulling = child;
  response.end(bytes, () => setTimeout(() => pulling?.kill('SIGKILL'), delayMs));
}

describe('a pull', () => {
  it(`survives ${kills} random kills with equal hash, and no kill costs more than one piece`, async () => {
    const random = randomFrom(42);
    const expected = hub.files[0]!.bytes;
    // A process that ends by itself leaves its compiled code to the hundred that do not.
    await run('maker/nothing-GGUF');
    let onDisk = 0;
    let resumed = 0;
    for (let kill = 0; kill < kills; kill++) {
      // Most die in the body, some before it: at one of the requests that come first.
      const killAtRequest = random(10) === 0 ? 1 + random(5) : 0;
      const killAfter = random(160 * 1024);
      const firstRequest = hub.requests.length;
      hub.faults.onRequest = () => {
        if (killAtRequest > 0 && hub.requests.length - firstRequest >= killAtRequest) child?.kill('SIGKILL');
        return false;
      };
      const firstServed = hub.served.length;
      hub.faults.onBody = (response, bytes, served) =>
        isBody(served) && (killAtRequest === 0 || hub.served.length - firstServed > 1)
          ? sendAndKill(response, bytes, served, killAfter)
          : void response.end(bytes);
      const { signal, stderr } = await run();
      expect({ kill, signal, stderr }).toEqual({ kill, signal: 'SIGKILL', stderr: '' });
      await expect(access(join(folder(), name))).rejects.toMatchObject({ code: 'ENOENT' });
      const body = hub.served.slice(firstServed).find(isBody);
      if (body) {
        expect(body.startBytes).toBeGreaterThanOrEqual(onDisk - pieceBytes);
        expect(body.startBytes).toBeLessThanOrEqual(onDisk);
        if (body.startBytes > 0) resumed++;
      }
      onDisk = await partSize();
      const kept = await readFile(join(folder(), `${name}.part`)).catch(() => Buffer.alloc(0));
      expect(kept.equals(expected.subarray(0, kept.length))).toBe(true);
    }
    expect(resumed).toBeGreaterThan(kills / 2);
    expect(onDisk).toBeGreaterThan(10 * pieceBytes);

    // The last byte is sent and the process dies at once, somewhere between checksum, flush and name.
    let finishing = 0;
    for (; finishing < 20 && (await sizeOf(join(folder(), name))) === 0; finishing++) {
      hub.faults.onRequest = () => false;
      hub.faults.onBody = (response, bytes, served) =>
        isBody(served) ? sendAllAndKill(response, bytes, random(60)) : void response.end(bytes);
      await run();
    }
    hub.faults.onBody = (response, bytes) => void response.end(bytes);
    const { signal, stdout, stderr } = await run();
    expect({ signal, stderr }).toEqual({ signal: null, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'done', error: null });
    expect(sha256(await readFile(join(folder(), name)))).toBe(sha256(expected));
    expect(await readdir(folder())).toEqual([name]);
  });
});
