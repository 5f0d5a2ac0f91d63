import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/observe/logger.ts';
import { openMadeModels } from '../../../src/store/made-models/made-models.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-made-'));
  path = join(folder, 'made-models.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const log = createLogger('silent');
const model = (name: string, preset = {}) => ({
  name,
  from: 'tiny:q8_0',
  preset,
  ownsFile: false,
  createdAt: new Date('2026-01-02T03:04:05.678Z'),
});

describe('made names', () => {
  it('are there again after a restart, whole', async () => {
    const preset = {
      system: 'Be short.',
      sampling: { temperature: 0.5, penaltyTokens: 64 },
      stop: ['END'],
      maxTokens: 7,
      contextTokens: 1_024,
      template: 'T',
    };
    const made = openMadeModels(path, log);
    await Promise.all([made.set(model('b', preset)), made.set(model('a'))]);
    const again = openMadeModels(path, log);
    expect(again.list()).toEqual([model('a'), model('b', preset)]);
    expect(again.list()).toEqual(made.list());
  });

  it('are found however they are written, with the tag that means none or without', async () => {
    const made = openMadeModels(path, log);
    await made.set(model('Märchen'));
    for (const name of ['märchen', 'MÄRCHEN:latest', 'ma\u0308rchen:LATEST']) {
      expect(made.find(name)?.name).toBe('Märchen');
    }
    expect(made.find('märchen:q8_0')).toBeNull();
    await made.remove('märchen:latest');
    expect(made.list()).toEqual([]);
    expect(openMadeModels(path, log).list()).toEqual([]);
  });

  it('are replaced by their name', async () => {
    const made = openMadeModels(path, log);
    await made.set(model('a', { system: 'one' }));
    await made.set(model('A:latest', { system: 'two' }));
    expect(made.list()).toEqual([model('A:latest', { system: 'two' })]);
  });

  it('are as they were where the disk did not take a change', async () => {
    const made = openMadeModels(join(folder, 'gone', 'made-models.json'), log);
    await expect(made.set(model('a'))).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(made.list()).toEqual([]);
  });

  it.each(['', '{', '[]', '{"models":[{"name":1}]}'])('of a file that holds %j are none', async (text) => {
    await writeFile(path, text);
    expect(openMadeModels(path, log).list()).toEqual([]);
  });

  it('are at most a thousand', async () => {
    const models = Array.from({ length: 1_000 }, (_, index) => model(`m${index}`));
    await writeFile(path, JSON.stringify({ models }));
    const made = openMadeModels(path, log);
    await expect(made.set(model('more'))).rejects.toMatchObject({ code: 'invalid_request' });
    await made.set(model('m5', { system: 'x' }));
    expect(made.find('m5')?.preset).toEqual({ system: 'x' });
  });
});
