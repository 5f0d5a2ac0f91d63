import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, skipReason, startStage, titleOf, widths } from './page.ts';

describe.skipIf(skipReason !== null)(titleOf('every screen'), () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage();
    // So that there is something of everything that one machine has.
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ prompt: 'What is Hearth?', max_tokens: 20 });
    expect((await fetch(`${stage.server.baseUrl}/generate`, { method: 'POST', headers, body })).status).toBe(200);
  });
  afterAll(() => stage?.close());

  it.each([
    ['dark', 'desk'],
    ['light', 'phone'],
    ['dark', 'phone'],
  ] as const)('has nothing wrong with it: %s, %s', async (theme, size) => {
    const opened = await stage.open('', { theme, width: widths[size] });
    const { page } = opened;
    await page.getByRole('heading', { level: 1 }).waitFor();
    const links = page.locator('nav a.link');
    const screens = [...new Set(await links.evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? '')))];
    expect(screens.length).toBeGreaterThan(8);
    for (const screen of screens) {
      await page.goto(`${stage.server.baseUrl}/ui/${screen}`);
      await page.locator(`nav a[aria-current="page"][href="${screen}"]`).first().waitFor({ state: 'attached' });
      await page.getByRole('heading', { level: 1 }).waitFor();
      // What is asked for is there, or its absence is said.
      await expect.poll(() => page.locator('main .spin').count(), { timeout: 30_000 }).toBe(0);
      await opened.check().catch((error: unknown) => {
        throw new Error(`${screen}: ${String(error)}`, { cause: error });
      });
    }
    await opened.close();
  });
});
