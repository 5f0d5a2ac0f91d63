import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, isAlive, openStream, postJson, workerPids } from '../support/client.ts';
import { builtInModels } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

interface Listed {
  name: string;
  state: string;
  reason: string | null;
  aliases: string[];
}

describe('a folder with good and bad model files', () => {
  let folder: string;
  let server: RunningServer;
  const good = join(builtInModels, 'hearth-guide-3m-q8_0.gguf');
  const list = async (): Promise<Listed[]> =>
    ((await (await fetch(`${server.baseUrl}/models`)).json()) as { models: Listed[] }).models;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-models-'));
    const bytes = await readFile(good);
    await writeFile(join(folder, 'empty.gguf'), '');
    await writeFile(join(folder, 'page.gguf'), '<!doctype html><title>404</title>');
    await writeFile(join(folder, 'cut-header.gguf'), bytes.subarray(0, 20_000));
    await writeFile(join(folder, 'cut-weights.gguf'), bytes.subarray(0, bytes.length - 4_096));
    await mkdir(join(folder, 'folder.gguf'));
    await mkdir(join(folder, 'chat'));
    await copyFile(good, join(folder, 'chat', 'tiny-chat-Q8_0.gguf'));
    await symlink('/etc/hostname', join(folder, 'outside.gguf'));
    server = await startServer({ models: folder });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('lists bad files with the reason, and offers only usable models to OpenAI clients', async () => {
    const models = await list();
    const byName = Object.fromEntries(models.map((model) => [model.name, model]));
    for (const name of ['empty', 'page', 'cut-header', 'cut-weights']) {
      expect(byName[name]).toMatchObject({ state: 'invalid' });
      expect(byName[name]!.reason).toMatch(/\w{4}/);
    }
    expect(byName['tiny-chat']).toMatchObject({ state: 'unloaded', reason: null });
    expect(byName['hearth-guide-3m']?.aliases).toContain('default');
    expect(Object.keys(byName)).not.toContain('outside');
    expect(Object.keys(byName)).not.toContain('folder');
    const { data } = (await (await fetch(`${server.baseUrl}/v1/models`)).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id).sort()).toEqual(['hearth-guide-3m', 'tiny-chat']);
  });

  it('refuses to load or use them with 422, while a stream beside goes on', async () => {
    const canary = openStream(`${server.baseUrl}/generate/stream`, { prompt: 'What is GGUF?', temperature: 0 });
    await canary.next();
    for (const name of ['empty', 'page', 'cut-header', 'cut-weights']) {
      const loaded = await postJson(`${server.baseUrl}/models/${name}/load`, {});
      expect(loaded).toMatchObject({ status: 422, body: { error: { code: 'INVALID_MODEL_FILE' } } });
      expect(JSON.stringify(loaded.body)).not.toContain(folder);
      const used = await postJson(`${server.baseUrl}/v1/chat/completions`, {
        model: name,
        messages: [{ role: 'user', content: 'Hello!' }],
      });
      expect(used).toMatchObject({ status: 422, body: { error: { code: 'invalid_model_file' } } });
    }
    const text = (await canary.rest()).map((record) => JSON.parse(record).token).join('');
    expect(text).toMatch(/run a model\.$/);
    expect(workerPids(server.pid)).toHaveLength(1);
  });

  it('finds a model in a sub-folder under its name, any case, with its quantization, and by its file stem', async () => {
    for (const name of ['tiny-chat', 'TINY-chat', 'tiny-chat:q8_0', 'tiny-chat:Q8_0', 'tiny-chat-Q8_0']) {
      expect((await ask(server.baseUrl, 'Thanks!', name)).text).toBe('You are welcome!');
    }
    const wrong = await postJson(`${server.baseUrl}/models/tiny-chat/load`, { quantization: 'q4_0' });
    expect(wrong.status).toBe(404);
    expect(JSON.stringify(wrong.body)).toContain('q8_0');
  });

  it('sees a file that is put there or mended while it runs', async () => {
    await copyFile(good, join(folder, 'late-q8_0.gguf'));
    expect((await ask(server.baseUrl, 'Thanks!', 'late')).text).toBe('You are welcome!');
    await copyFile(good, join(folder, 'cut-header.gguf'));
    expect((await ask(server.baseUrl, 'Thanks!', 'cut-header')).text).toBe('You are welcome!');
    expect((await list()).find((model) => model.name === 'cut-header')?.state).toBe('loaded');
  });

  it('answers 404 for unknown names, and 400 for what cannot be a name', async () => {
    const unknown = await postJson(`${server.baseUrl}/v1/chat/completions`, {
      model: 'tiny-chatt',
      messages: [{ role: 'user', content: 'Hello!' }],
    });
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'model_not_found', param: 'model' } } });
    expect(JSON.stringify(unknown.body)).toContain('tiny-chat');
    for (const name of ['../secret', 'a\u0000b', '/etc/passwd', 'http://127.0.0.1/m.gguf']) {
      const bad = await postJson(`${server.baseUrl}/generate`, { prompt: 'Hello!', model: name });
      expect(bad).toMatchObject({ status: 400, body: { error: { code: 'INVALID_REQUEST' } } });
    }
    expect(isAlive(server.pid)).toBe(true);
  });
});
