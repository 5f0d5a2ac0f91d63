import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningServer, repositoryRoot, startServer } from '../support/server.ts';

let folder: string;
let server: RunningServer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-restoring-'));
  await mkdir(join(folder, 'models'));
  const builtin = join(repositoryRoot, 'models/hearth-guide-3m-q8_0.gguf');
  for (const name of ['first', 'second']) await copyFile(builtin, join(folder, 'models', `${name}-q8_0.gguf`));
});
afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const start = async (env: Record<string, string> = {}) => {
  server = await startServer({ args: ['--data', join(folder, 'data')], models: join(folder, 'models'), env });
};
const post = async (path: string, body: object = {}) => {
  const response = await fetch(`${server.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(200);
};
interface Shown {
  name: string;
  loaded: boolean;
  context_length_loaded: number | null;
  slots: number | null;
  pinned: boolean;
  expires_at: string | null;
}
const loaded = async () => {
  const { models } = (await (await fetch(`${server.baseUrl}/models`)).json()) as { models: Shown[] };
  return models.filter((model) => model.loaded);
};
const untilLoaded = async (count: number) => {
  while ((await loaded()).length < count) await pause(50);
};
const lines = (text: string) =>
  server
    .stderr()
    .split('\n')
    .filter((line) => line.includes(text));
const cameBack = 'a model that was loaded before the restart is loaded again';

describe('models that were loaded', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)('are loaded again as they were after %s', async (signal) => {
    await start();
    await post('/models/first/load', { context_length: 256, parallel: 1, pin: true });
    await post('/models/second/load', { context_length: 512, parallel: 2, keep_alive: '10m' });
    await pause(1_500);
    await post('/generate', { prompt: 'Hi', model: 'second', max_tokens: 2 });
    // What comes and goes is noted at once, use of it once a minute; the end of the server notes it too.
    const before = Object.fromEntries((await loaded()).map((model) => [model.name, model]));
    await server.stop(signal);
    await start();
    await untilLoaded(2);
    const [first, second] = (await loaded()).sort((left, right) => left.name.localeCompare(right.name));
    expect(first).toMatchObject({ context_length_loaded: 256, slots: 1, pinned: true, expires_at: null });
    expect(second).toMatchObject({ context_length_loaded: 512, slots: 2, pinned: false });
    const lateMs = Date.parse(second!.expires_at!) - Date.parse(before['second']!.expires_at!);
    expect(Math.abs(lateMs)).toBeLessThan(signal === 'SIGTERM' ? 1_500 : 3_500);
    await expect.poll(() => lines(cameBack).length).toBe(2);
    expect(lines(cameBack).map((line) => JSON.parse(line).model)).toEqual(['second:q8_0', 'first:q8_0']);
  });

  it('are not, where nobody wants that', async () => {
    await start();
    await post('/models/first/load', { pin: true });
    await server.stop();
    await start({ HEARTH_RESTORE: 'off' });
    await post('/generate', { prompt: 'Hi', model: 'second', max_tokens: 2 });
    expect((await loaded()).map(({ name }) => name)).toEqual(['second']);
  });

  it('are left out where the server was ended twice right after they were loaded again', async () => {
    await start();
    await post('/models/first/load', { pin: true });
    for (const _ of [1, 2]) {
      await server.stop('SIGKILL');
      await start();
      await untilLoaded(1);
    }
    await server.stop('SIGKILL');
    await start();
    await expect.poll(() => lines('the server ended each time right after it was').length, { timeout: 60_000 }).toBe(1);
    expect(await loaded()).toEqual([]);
    // Nobody's request is refused for that.
    await post('/generate', { prompt: 'Hi', model: 'first', max_tokens: 2 });
  });
});
