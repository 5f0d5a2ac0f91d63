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
    const shown = new Set<string>();
    const wanted = ['/v1/chat/completions', '/generate', '/models/{name}/load'];
    // Only what is in sight is in the page: it is looked at piece by piece, down to its end.
    const look = async () => {
      const paths = await page.locator('.opblock-summary-path').allInnerTexts();
      for (const path of paths) shown.add(path.replaceAll('\u200B', '').trim());
      await page.mouse.wheel(0, 400);
      return wanted.filter((path) => !shown.has(path));
    };
    await expect.poll(look, { timeout: 60_000 }).toEqual([]);
    await page.keyboard.press('Home');
  });

  it('shows the fields of a request when an operation is opened', async () => {
    const operation = page.locator('.opblock', { hasText: '/v1/chat/completions' }).first();
    await operation.locator('.opblock-summary').click();
    await operation.locator('.opblock-body').waitFor();
    // What is in it is drawn after the box itself.
    await expect.poll(() => operation.locator('.opblock-body').innerText()).toContain('messages');
  });

  it('loads everything from this server and finds nothing to complain about', () => {
    expect(requested.length).toBeGreaterThan(1);
    const foreign = requested.filter((url) => !url.startsWith(`${server.baseUrl}/`) && !url.startsWith('data:'));
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
