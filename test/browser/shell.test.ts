import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, skipReason, startStage, titleOf, widths } from './page.ts';

describe.skipIf(skipReason !== null)(titleOf('the page'), () => {
  const adminKey = 'a-key-for-the-page';
  let stage: Stage;
  let inferenceKey: string;
  beforeAll(async () => {
    stage = await startStage({ env: { HEARTH_API_KEY: adminKey } });
    const made = await fetch(`${stage.server.baseUrl}/api/v1/keys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': adminKey },
      body: JSON.stringify({ name: 'kitchen' }),
    });
    inferenceKey = ((await made.json()) as { key: string }).key;
  });
  afterAll(() => stage?.close());

  it.each(Object.entries(widths))('asks for the key once, and forgets it when told (%s)', async (_name, width) => {
    const { page, close, complaints } = await stage.open('', { width });
    await page.getByLabel('Key').fill('not-the-key');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('The key was not taken').waitFor();
    await page.getByLabel('Key').fill(adminKey);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    expect(page.url()).not.toContain(adminKey);
    if (width === widths.phone) await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('button', { name: 'Forget the key' }).locator('visible=true').click();
    await page.getByLabel('Key').waitFor();
    // Refusals are what this is about; nothing else is wrong.
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
    await close();
  });

  it('shows to a key for answers only what it opens', async () => {
    const { page, close } = await stage.open('');
    await page.getByLabel('Key').fill(inferenceKey);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Playground', level: 1 }).waitFor();
    expect(await page.getByRole('link', { name: 'Memory' }).count()).toBe(0);
    await page.goto(`${stage.server.baseUrl}/ui/#/memory`);
    await page.getByText('Memory is not for this key').waitFor();
    await close();
  });

  it('is left with nothing when its key is revoked', async () => {
    const { page, close } = await stage.open('');
    const made = await fetch(`${stage.server.baseUrl}/api/v1/keys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': adminKey },
      body: JSON.stringify({ name: 'wall', scopes: ['admin', 'inference'] }),
    });
    await page.getByLabel('Key').fill(((await made.json()) as { key: string }).key);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    await page.locator('.memory-row').first().waitFor();
    await fetch(`${stage.server.baseUrl}/api/v1/keys/wall`, { method: 'DELETE', headers: { 'x-api-key': adminKey } });
    await page.getByLabel('Key').waitFor();
    await close();
  });

  it('shows to the next key nothing of what was said with another', async () => {
    const { page, close } = await stage.open('playground');
    const enter = async () => {
      await page.getByLabel('Key').fill(adminKey);
      await page.keyboard.press('Enter');
      await page.getByLabel('Your message').waitFor();
    };
    await enter();
    await page.getByLabel('Your message').fill('a secret');
    await page.getByRole('button', { name: 'Forget the key' }).locator('visible=true').click();
    await enter();
    expect(await page.getByLabel('Your message').inputValue()).toBe('');
    await close();
  });

  it('keeps a key that nobody has refused, where the network breaks while it is looked at', async () => {
    const { page, close } = await stage.open('');
    await page.getByLabel('Key').fill(adminKey);
    await page.route('**/api/v1/**', (route) => route.abort());
    await page.keyboard.press('Enter');
    await page.getByText('The key was not taken').waitFor();
    await page.unroute('**/api/v1/**');
    await page.reload();
    await page.locator('.memory-row').first().waitFor();
    await close();
  });

  it('goes from screen to screen by the keyboard alone, and shows where it is', async () => {
    const { page, close } = await stage.open('');
    await page.getByLabel('Key').fill(adminKey);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('To the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.reload();
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    for (let count = 0; count < 4; count++) await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Models');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    expect(outline).toBe('solid');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor();
    await close();
  });

  it('is light or dark as the device is, or as it is told', async () => {
    const { page, close } = await stage.open('', { theme: 'dark' });
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await ground();
    await page.getByLabel('Key').fill(adminKey);
    await page.keyboard.press('Enter');
    await page.getByTitle('Light').locator('visible=true').click();
    await expect.poll(ground).not.toBe(dark);
    await page.reload();
    await page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
    expect(await ground()).not.toBe(dark);
    await close();
  });

  it('works below a path that a proxy has put it under', async () => {
    const proxy = await startProxy('/apps/hearth', stage.server.baseUrl);
    const { page, close, complaints, requested } = await stage.open('', { baseUrl: `${proxy.origin}/apps/hearth` });
    await page.goto(`${proxy.origin}/apps/hearth/`);
    await page.waitForURL(`${proxy.origin}/apps/hearth/ui/`);
    await page.getByLabel('Key').fill(adminKey);
    await page.keyboard.press('Enter');
    await page.locator('.memory-row').first().waitFor();
    await page.getByRole('link', { name: 'Playground' }).first().click();
    await page.getByRole('tab', { name: 'As code' }).click();
    expect(await page.locator('pre').innerText()).toContain(`${proxy.origin}/apps/hearth/v1/chat/completions`);
    expect(requested.filter((url) => !url.startsWith(`${proxy.origin}/apps/hearth/`))).toEqual([]);
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
    await close();
    await proxy.close();
  });
});

/** A reverse proxy that knows the server below a path, and nothing elsewhere. */
async function startProxy(path: string, target: string): Promise<{ origin: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    if (!url.startsWith(`${path}/`)) return void response.writeHead(404).end();
    const { hostname, port } = new URL(target);
    const options = { hostname, port, path: url.slice(path.length), method: request.method, headers: request.headers };
    const forwarded = httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    response.on('close', () => forwarded.destroy());
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
