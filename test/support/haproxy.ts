import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from './server.ts';

/** Where HAProxy is; null: it is not installed. */
export const haproxyPath =
  ['haproxy', '/usr/sbin/haproxy'].find((path) => spawnSync(path, ['-v'], { stdio: 'ignore' }).status === 0) ?? null;

/** A running HAProxy with the configuration of `docker/haproxy.cfg`. */
export interface Balancer {
  /** `http://127.0.0.1:PORT`. */
  baseUrl: string;
  stop(): Promise<void>;
}

/** The header in which each answer names the replica that gave it, `hearth1` and so on; of the tests alone. */
export const replicaHeader = 'x-replica';

/** Starts it before these servers, and waits until it takes all of them for healthy. */
export async function startBalancer(replicas: readonly { baseUrl: string }[]): Promise<Balancer> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-haproxy-'));
  const port = await freePort();
  const file = join(folder, 'haproxy.cfg');
  const servers = replicas.map(({ baseUrl }, index) => `  server hearth${index + 1} ${new URL(baseUrl).host}`);
  const original = readFileSync(join(repositoryRoot, 'docker/haproxy.cfg'), 'utf8');
  const config = original
    .replace('bind :8000', `bind 127.0.0.1:${port}`)
    .replace(/^ {2}server hearth1[\s\S]*$/m, `  http-response set-header ${replicaHeader} %s\n${servers.join('\n')}\n`);
  await writeFile(file, config);
  const child = spawn(haproxyPath!, ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const killed = () => void child.kill('SIGKILL');
  process.on('exit', killed);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (printed += String(bytes)));
  const ended = once(child, 'close');
  const baseUrl = `http://127.0.0.1:${port}`;
  for (let tries = 0; !(await answers(baseUrl)); tries++) {
    if (child.exitCode !== null || tries > 600) throw new Error(`HAProxy does not start\n${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    baseUrl,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      process.off('exit', killed);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(baseUrl: string): Promise<boolean> {
  return fetch(`${baseUrl}/livez`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
