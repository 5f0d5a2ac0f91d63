import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FoundModels, ModelList, PlanAnswer } from '../../ui/src/api/types.ts';
import { memory } from '../../ui/src/text/format.ts';
import { type FakeHub, fakeRepository, startFakeHub } from '../support/fake-hub.ts';
import { repositoryRoot } from '../support/server.ts';
import { type OpenPage, type Stage, skipReason, startStage, titleOf, widths } from './page.ts';

const guide = 'hearth-guide-3m';

describe.skipIf(skipReason !== null)(titleOf('the screen Models'), () => {
  let stage: Stage;
  let hub: FakeHub;
  let folder: string;
  let opened: OpenPage | null = null;
  beforeAll(async () => {
    const bytes = await readFile(join(repositoryRoot, `models/${guide}-q8_0.gguf`));
    hub = await startFakeHub([{ path: 'Tiny-Q8_0.gguf', bytes }]);
    folder = await mkdtemp(join(tmpdir(), 'hearth-page-models-'));
    await writeFile(join(folder, 'Own-q8_0.gguf'), bytes);
    stage = await startStage({
      models: folder,
      env: {
        HF_ENDPOINT: hub.endpoint,
        HEARTH_PULL_ALLOW_PRIVATE: '1',
        HEARTH_PULL_HOSTS: 'localhost',
        HEARTH_PULL_RESERVE: '0',
      },
    });
  });
  afterEach(async () => {
    await opened?.close();
    opened = null;
    for (const name of [guide, 'Own']) await fetch(`${stage.server.baseUrl}/models/${name}/unload`, { method: 'POST' });
  });
  afterAll(async () => {
    await stage?.close();
    await hub?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const get = async <Answer>(path: string) => (await (await fetch(`${stage.server.baseUrl}/${path}`)).json()) as Answer;
  const cardOf = (name: string) => opened!.page.locator(`[data-model="${name}"]`);

  it.each(Object.entries(widths))(
    'lists what is on disk with what the server says of it (%s)',
    async (_name, width) => {
      opened = await stage.open('models', { width });
      await cardOf(guide).waitFor();
      const { models } = await get<ModelList>('api/v1/models');
      for (const { name, variants } of models) {
        expect(await cardOf(name).innerText()).toContain(`fits, needs ${memory(variants[0]!.expected_memory_bytes)}`);
      }
      expect(await opened.page.locator('[data-model]').count()).toBe(models.length);
      await opened.check();
    },
  );

  it.each(Object.entries(widths))(
    'plans with the context that is chosen, loads so, and says what it took (%s)',
    async (_name, width) => {
      opened = await stage.open('models', { width });
      const { page } = opened;
      await page.getByRole('button', { name: `Load ${guide}` }).click();
      const needs = page.locator('.fit-panel [data-bytes]');
      const shown = async () => Number(await needs.getAttribute('data-bytes'));
      const planned = async (query: string) =>
        (await get<PlanAnswer>(`models/${guide}/plan${query}`)).plan!.expected_bytes.total;
      await expect.poll(shown).toBe(await planned(''));
      await opened.check();
      const slider = page.getByLabel('Context');
      await slider.focus();
      await page.keyboard.press('Home');
      await expect.poll(shown).toBe(await planned('?context_length=1024'));
      await page.getByLabel('Answers at the same time').selectOption('1');
      await expect.poll(shown).toBe(await planned('?context_length=1024&parallel=1'));
      await page.getByRole('button', { name: 'Load', exact: true }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('heading', { name: `${guide} is loaded` }).waitFor();
      const { models } = await get<ModelList>('api/v1/models');
      const model = models.find(({ name }) => name === guide)!;
      expect(model).toMatchObject({ state: 'loaded', context_length_loaded: 1024, slots: 1 });
      expect(await dialog.innerText()).toContain(memory(model.planned_memory_bytes));
      await opened.check();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await cardOf(guide).getByText('1 × 1k tokens of context').waitFor();
      await opened.check();
    },
  );

  it('pins and unpins without loading anew, and unloads', async () => {
    await fetch(`${stage.server.baseUrl}/models/${guide}/load`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ context_length: 512, parallel: 2 }),
    });
    opened = await stage.open('models');
    const stateOf = async () => (await get<ModelList>('api/v1/models')).models.find(({ name }) => name === guide)!;
    const { loaded_at } = await stateOf();
    await cardOf(guide).getByRole('button', { name: 'Pin', exact: true }).click();
    await cardOf(guide).getByText('pinned').waitFor();
    expect(await stateOf()).toMatchObject({ pinned: true, loaded_at, context_length_loaded: 512, slots: 2 });
    await cardOf(guide).getByRole('button', { name: 'Unpin' }).click();
    await cardOf(guide).getByText('pinned').waitFor({ state: 'detached' });
    expect(await stateOf()).toMatchObject({ pinned: false, loaded_at });
    await cardOf(guide)
      .getByRole('button', { name: `Unload ${guide}` })
      .click();
    await cardOf(guide)
      .getByRole('button', { name: `Load ${guide}` })
      .waitFor();
    await opened.check();
  });

  it('asks before it ends a model that was long in loading, and says how long', async () => {
    await fetch(`${stage.server.baseUrl}/models/${guide}/load`, { method: 'POST' });
    opened = await stage.open('models');
    const { page } = opened;
    // This machine is too quick: the page is told of a load of a minute.
    await page.route('**/api/v1/events', async (route) => {
      const live = JSON.stringify(await snapshotOf(stage.server.baseUrl)).replace(/"load_ms":\d+/, '"load_ms":60000');
      await route.fulfill({ contentType: 'text/event-stream', body: `event: snapshot\ndata: ${live}\n\n` });
    });
    await page.reload();
    await page.getByRole('button', { name: `Unload ${guide}` }).click();
    await page.getByRole('dialog').getByText('expected to take 1 min').waitFor();
    await page.getByRole('button', { name: 'Keep it' }).click();
    expect((await get<ModelList>('api/v1/models')).models.find(({ name }) => name === guide)!.state).toBe('loaded');
  });

  it('pulls from the hub with its progress, and deletes after asking', async () => {
    opened = await stage.open('models?tab=get', { width: widths.phone });
    const { page } = opened;
    // The rest comes when the progress was seen.
    const seen = Promise.withResolvers<void>();
    let downloads = 0;
    hub.faults = {
      async onBody(response, bytes) {
        // The header is read first, and nothing of that is to be seen.
        if (downloads++ === 0) return void response.end(bytes);
        const half = Math.floor(bytes.length / 2);
        response.write(bytes.subarray(0, half));
        await seen.promise;
        response.end(bytes.subarray(half));
      },
    };
    await page.getByLabel('Words, a name or an address').fill(`hf.co/${fakeRepository}:q8_0`);
    await page.keyboard.press('Enter');
    const row = page.locator('[data-pull="Tiny:q8_0"]');
    await row.getByRole('progressbar').waitFor();
    await row.getByText('arrives').waitFor();
    await opened.check();
    seen.resolve();
    hub.faults = {};
    await row.waitFor({ state: 'detached' });
    await page.getByRole('tab', { name: 'On this machine' }).click();
    await cardOf('Tiny').getByText('fits').waitFor();
    await cardOf('Tiny').getByRole('button', { name: 'Delete Tiny' }).click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    expect(await cardOf('Tiny').count()).toBe(1);
    await cardOf('Tiny').getByRole('button', { name: 'Delete Tiny' }).click();
    await opened.check();
    await page.getByRole('button', { name: 'Delete 3 MB' }).click();
    await cardOf('Tiny').waitFor({ state: 'detached' });
    expect((await get<ModelList>('api/v1/models')).models.map(({ name }) => name)).not.toContain('Tiny');
  });

  it.each(Object.entries(widths))(
    'searches the catalogue and the hub, with sizes and what fits (%s)',
    async (_name, width) => {
      opened = await stage.open('models?tab=get', { width });
      const { page } = opened;
      await page.getByLabel('Words, a name or an address').fill('tiny');
      await page.keyboard.press('Enter');
      const found = page.locator('section', { hasText: 'Found for' });
      await found.getByText(`hf.co/${fakeRepository}`).waitFor();
      const { models } = await get<FoundModels>('api/v1/models/search?query=tiny');
      expect(await found.locator('.of-search').count()).toBe(models.length);
      expect(await found.getByLabel(`Quantization of hf.co/${fakeRepository}`).innerText()).toContain('q8_0, 3 MB');
      expect(await found.getByText('fits', { exact: true }).count()).toBeGreaterThan(0);
      await opened.check();
      await page.getByRole('button', { name: 'Close the search' }).click();
      await found.waitFor({ state: 'detached' });
    },
  );

  it('says why a pull was refused, with what helps', async () => {
    opened = await stage.open('models?tab=get');
    const { page } = opened;
    await page.getByLabel('Words, a name or an address').fill('hf.co/nobody/nothing');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.getByText('hf.co/nobody/nothing is not pulled').waitFor();
    await alert.getByRole('button', { name: 'Dismiss' }).click();
    await alert.waitFor({ state: 'detached' });
    expect(opened.complaints.filter((text) => !/404/.test(text))).toEqual([]);
  });
});

describe.skipIf(skipReason !== null)(titleOf('a model that does not fit'), () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage({ env: { HEARTH_MEMORY_LIMIT: '150MiB' } });
  });
  afterAll(() => stage?.close());

  it.each(Object.entries(widths))(
    'is refused with the numbers, and loaded all the same when told so (%s)',
    async (_name, width) => {
      const opened = await stage.open('models', { width });
      const { page } = opened;
      await page.getByRole('button', { name: `Load ${guide}` }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('It does not fit now').waitFor();
      const answer = await fetch(`${stage.server.baseUrl}/models/${guide}/plan`);
      const { shortage } = (await answer.json()) as PlanAnswer;
      expect(await dialog.innerText()).toContain(memory(shortage!.needed_bytes));
      expect(await dialog.getByRole('button', { name: 'Load', exact: true }).getAttribute('aria-disabled')).toBe(
        'true',
      );
      await opened.check();
      await dialog.getByRole('button', { name: 'Load anyway' }).click();
      await page.getByRole('heading', { name: `${guide} is loaded` }).waitFor();
      await page.getByRole('dialog').getByText('loaded all the same').waitFor();
      await opened.check();
      await opened.close();
      await fetch(`${stage.server.baseUrl}/models/${guide}/unload`, { method: 'POST' });
    },
  );
});

/** What the server tells first. */
async function snapshotOf(baseUrl: string): Promise<unknown> {
  const leaving = new AbortController();
  const response = await fetch(`${baseUrl}/api/v1/events`, { signal: leaving.signal });
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes('\n\n')) break;
  }
  leaving.abort();
  return JSON.parse(/^data: (.*)$/m.exec(text)![1]!);
}
