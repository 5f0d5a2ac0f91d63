import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenPage, type Stage, skipReason, startStage, titleOf, widths } from './page.ts';

/** Nobody listens there: it can be asked, and fails at once. */
const config = `
version: 1
providers:
  claude:
    type: anthropic
    api_key: canary-of-the-page
    base_url: http://127.0.0.1:9
    rate_limits: { requests_per_minute: 10 }
    models: [{ id: claude-haiku-4-5, pricing: { input_per_1k: 0.001, output_per_1k: 0.005 } }]
failover_chains: { clouds: { providers: [claude], description: Claude alone } }
budgets: { daily: 5 }
`;

describe.skipIf(skipReason !== null)(titleOf('screens that watch and manage'), () => {
  let folder: string;
  let stage: Stage;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-page-'));
    await writeFile(join(folder, 'hearth.yaml'), config);
    stage = await startStage({ args: ['--config', join(folder, 'hearth.yaml')] });
  });
  afterAll(async () => {
    await stage?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const url = (path: string) => `${stage.server.baseUrl}${path}`;
  const get = async (path: string) => (await fetch(url(path))).json();
  const post = (path: string, body: object, signal?: AbortSignal) =>
    fetch(url(path), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  const askChat = (more: object = {}, signal?: AbortSignal) =>
    post('/v1/chat/completions', { model: 'default', messages: [{ role: 'user', content: 'Hi' }], ...more }, signal);
  const press = ({ page }: OpenPage, name: string | RegExp) => page.getByRole('button', { name }).click();
  const each = Object.entries(widths);

  it.each(each)(
    'Requests shows what runs and ends it, and what was answered with its tokens (%s)',
    async (_, width) => {
      await (await askChat({ max_tokens: 3 })).json();
      const opened = await stage.open('requests', { width });
      const { page } = opened;
      const { entries } = await get('/api/v1/costs/entries?local=true&limit=1');
      const row = page.locator(`[data-request="${entries[0].request_id}"]`);
      if (width === widths.phone) {
        // Two lines, and the rest behind a press.
        expect(await row.getByText('Prompt tokens').isVisible()).toBe(false);
        await row.locator('summary').click();
        await row.getByText('Prompt tokens').waitFor();
      }
      const figures = (await row.innerText()).split(/\s+/);
      expect(figures).toEqual(expect.arrayContaining([`${entries[0].input_tokens}`, `${entries[0].output_tokens}`]));
      // Nothing but a cancel ends it soon.
      const endless = await askChat({ stream: true, max_tokens: 100_000, ignore_eos: true });
      await press(opened, /^End the request/);
      expect(await endless.text()).toContain('cancelled');
      await page.getByText('Nobody asks for anything.').waitFor();
      await opened.check();
      await opened.close();
    },
  );

  it.each(each)('Costs tells here from away, and ends the cloud with one press (%s)', async (_, width) => {
    const away = { model: 'claude/claude-haiku-4-5', max_tokens: 3 };
    await (await askChat(away)).json();
    const opened = await stage.open('costs', { width });
    const { page } = opened;
    const [day] = (await get('/api/v1/privacy/daily?days=7')).days;
    expect(day.left.requests).toBeGreaterThan(0);
    const shown = page.locator(`[data-date="${day.date}"]`);
    await shown.waitFor();
    expect(await shown.locator('[data-here]').getAttribute('data-here')).toBe(String(day.here.requests));
    expect(await shown.locator('[data-left]').getAttribute('data-left')).toBe(String(day.left.requests));
    await press(opened, 'Forbid cloud');
    await page.getByText('Nothing can leave the house').waitFor();
    expect((await askChat(away)).ok).toBe(false);
    expect((await get('/api/v1/providers')).enabled).toBe(1);
    await press(opened, 'Allow cloud again');
    await page.getByText('may leave the house').waitFor();
    expect((await get('/api/v1/providers')).enabled).toBe(2);
    await opened.check();
    await opened.close();
  });

  it.each(each)('Providers shows limits and chains, and tests (%s)', async (_, width) => {
    const opened = await stage.open('providers', { width });
    const card = opened.page.locator('[data-provider="claude"]');
    const { limit, remaining } = (await get('/api/v1/rate-limits')).limits.claude.requests_per_minute;
    await expect.poll(() => card.innerText()).toContain(`${remaining} of ${limit} left`);
    expect(await opened.page.getByText('Claude alone').count()).toBe(1);
    await press(opened, 'Test claude');
    await card.getByRole('alert').waitFor();
    await opened.check();
    await opened.close();
  });

  it.each(each)('Jobs shows how far a batch is, and cancels it (%s)', async (_, width) => {
    const params = { model: 'default', max_tokens: 2_000, messages: [{ role: 'user', content: 'Hi' }] };
    const requests = Array.from({ length: 40 }, (_item, n) => ({ custom_id: `c${n}`, params }));
    const { id } = await (await post('/v1/messages/batches', { requests })).json();
    const opened = await stage.open('jobs', { width });
    const card = opened.page.locator(`[data-job="${id}"]`);
    await card.getByText('of 40').waitFor();
    await press(opened, `Cancel batch ${id}`);
    await card.getByText('cancelled').waitFor();
    const { counts } = (await get('/api/v1/jobs')).jobs.find((job: { id: string }) => job.id === id);
    await expect.poll(() => card.innerText()).toContain(`${counts.canceled} cancelled`);
    await opened.check();
    await opened.close();
  });

  it.each(each)('Connect has what programs need, and asks the server itself (%s)', async (_, width) => {
    const opened = await stage.open('connect', { width });
    const { page } = opened;
    await page.getByText("For OpenAI's API", { exact: true }).waitFor();
    await page.getByText("For Anthropic's and Ollama's API", { exact: true }).waitFor();
    await press(opened, 'Test it');
    await page.getByText('default answered at').waitFor();
    for (const name of await page.getByLabel('Program', { exact: true }).locator('option').allInnerTexts()) {
      await page.getByLabel('Program', { exact: true }).selectOption({ label: name });
      expect(await page.getByLabel(`For ${name}`, { exact: true }).innerText()).toContain(new URL(url('/')).host);
    }
    await opened.check();
    await opened.close();
  });

  it.each(each)(
    'Settings says where each value comes from, what would change, and what is wrong (%s)',
    async (_, width) => {
      const opened = await stage.open('settings', { width });
      const { page } = opened;
      await page.locator('[data-setting="budgets"]', { hasText: 'hearth.yaml:' }).waitFor();
      expect(await page.content()).not.toContain('canary-of-the-page');
      await press(opened, 'What would change?');
      await page.getByText('It would change nothing.').waitFor();
      await page.getByLabel('YAML').fill('budgets: { daily: much }');
      await press(opened, 'Check it');
      await page.getByText(/budgets\.daily/).waitFor();
      await opened.check();
      await opened.close();
    },
  );

  it.each(each)('Logs come as they are written, and are found by a word (%s)', async (_, width) => {
    const opened = await stage.open('logs', { width });
    const { page } = opened;
    await page.locator('[data-level]').first().waitFor();
    await post('/models/default/unload', {});
    await askChat({ max_tokens: 1 });
    await page.getByText('model loaded').first().waitFor();
    await page.getByLabel('Find', { exact: true }).fill('no line has this');
    await page.getByText('No line so far.').waitFor();
    await opened.check();
    await opened.close();
  });
});
