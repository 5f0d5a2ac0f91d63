import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LiveState, SuggestedModel } from '../../ui/src/api/types.ts';
import { fileSize } from '../../ui/src/text/format.ts';
import { bytesIn, type OpenPage, type Stage, skipReason, startStage, titleOf, widths } from './page.ts';

describe.skipIf(skipReason !== null)(titleOf('the screen Memory'), () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage?.close());

  const load = (body: object = {}) =>
    fetch(`${stage.server.baseUrl}/models/default/load`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const rowOf = ({ page }: OpenPage, name: string) => page.locator('.memory-row', { hasText: name });

  it.each(Object.entries(widths))('divides the machine as the server does (%s)', async (_name, width) => {
    expect((await load({ keep_alive: '10m' })).status).toBe(200);
    const opened = await stage.open('memory', { width });
    const { page } = opened;
    await rowOf(opened, 'hearth-guide-3m').waitFor();
    // What there is moves with every look, so both are looked at until they are of one moment.
    const differs = async () => {
      const { memory } = await snapshot(stage.server.baseUrl);
      const [model] = memory.models;
      const told = [model!.weights_bytes, model!.cache_bytes, model!.work_bytes, model!.total_bytes];
      return JSON.stringify(await bytesIn(page, '.of-model')) !== JSON.stringify(told);
    };
    await expect.poll(differs, { timeout: 30_000 }).toBe(false);
    // The rows are of one moment, and the whole stays what it is.
    const rows = await bytesIn(page, '.memory-row > .bytes', '');
    const { memory } = await snapshot(stage.server.baseUrl);
    expect(rows.reduce((sum, bytes) => sum + bytes, 0)).toBe(memory.total_bytes);
    expect(await rowOf(opened, 'hearth-guide-3m').innerText()).toMatch(/next to go[\s\S]*ends in (9 min|10 min|600 s)/);
    await opened.check();
    await opened.close();
  });

  it.each(Object.entries(widths))(
    'proposes models where there is none but the built-in one (%s)',
    async (_name, width) => {
      const opened = await stage.open('memory', { width });
      const { page } = opened;
      await page.getByRole('heading', { name: 'Models that suit this machine' }).waitFor();
      const answer = await fetch(`${stage.server.baseUrl}/api/v1/catalog/suggestions`);
      const { models } = (await answer.json()) as { models: SuggestedModel[] };
      expect(models).toHaveLength(3);
      for (const { name, size_bytes, tokens_per_second } of models) {
        const text = await page.locator(`[data-suggested="${name}"]`).innerText();
        expect(text).toContain(fileSize(size_bytes));
        expect(text).toContain(`${Math.max(1, Math.round(tokens_per_second))} tokens/s`);
      }
      await opened.check();
      await opened.close();
    },
  );

  it('unloads with a press, and shows that the model is gone', async () => {
    await load();
    const opened = await stage.open('memory', { width: widths.phone });
    await opened.page.getByRole('button', { name: 'Unload hearth-guide-3m' }).click();
    await rowOf(opened, 'hearth-guide-3m').waitFor({ state: 'detached' });
    expect((await snapshot(stage.server.baseUrl)).models).toEqual([]);
    expect(await opened.page.getByText('No model is loaded').count()).toBe(1);
    await opened.check();
    await opened.close();
  });

  it('says that the connection is lost, keeps what it knew, and comes back by itself', async () => {
    const opened = await stage.open('memory');
    await rowOf(opened, 'Reserve').waitFor();
    const { page } = opened;
    await page.route('**/api/v1/events', (route) => route.abort());
    // Ends what the page reads, as a network that goes away does.
    await page.evaluate(() => window.stop());
    await page.getByText('The connection to Hearth is lost').waitFor();
    expect(await rowOf(opened, 'Reserve').count()).toBe(1);
    await page.unroute('**/api/v1/events');
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('The connection to Hearth is lost').waitFor({ state: 'detached' });
    await opened.close();
  });
});

/** What the server tells first. */
async function snapshot(baseUrl: string): Promise<LiveState> {
  const leaving = new AbortController();
  const response = await fetch(`${baseUrl}/api/v1/events`, { signal: leaving.signal });
  const { promise, resolve } = Promise.withResolvers<LiveState>();
  const parser = createParser({ onEvent: ({ data }) => resolve(JSON.parse(data)) });
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const bytes of response.body!) parser.feed(decoder.decode(bytes, { stream: true }));
  };
  read().catch(() => {});
  const state = await promise;
  leaving.abort();
  return state;
}
