import { type Browser, chromium as launcher, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromium } from '../support/chromium.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const found = chromium();
const reason = 'skip' in found ? ` (skipped: ${found.skip})` : '';

describe.skipIf('skip' in found)(`/docs in a browser${reason}`, () => {
  let server: RunningServer;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const requested: string[] = [];

  beforeAll(async () => {
    server = await startServer();
    const executablePath = 'executablePath' in found ? found.executablePath : '';
    browser = await launcher.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    page = await browser.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => requested.push(request.url()));
    page.on('response', (response) => {
      if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(`${server.baseUrl}/docs`);
    await page.locator('.opblock-summary').first().waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('lists the operations', async () => {
    const paths = await page.locator('.opblock-summary-path').allInnerTexts();
    const shown = paths.map((path) => path.replaceAll('\u200B', '').trim());
    expect(shown).toEqual(expect.arrayContaining(['/v1/chat/completions', '/generate', '/models/{name}/load']));
  });

  it('shows the fields of a request when an operation is opened', async () => {
    const operation = page.locator('.opblock', { hasText: '/v1/chat/completions' }).first();
    await operation.locator('.opblock-summary').click();
    await operation.locator('.opblock-body').waitFor();
    expect(await operation.locator('.opblock-body').innerText()).toContain('messages');
  });

  it('loads everything from this server and finds nothing to complain about', () => {
    expect(requested.length).toBeGreaterThan(1);
    const foreign = requested.filter((url) => !url.startsWith(`${server.baseUrl}/`) && !url.startsWith('data:'));
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
