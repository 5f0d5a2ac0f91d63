import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium as launcher, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { chromium } from '../support/chromium.ts';
import { type RunningServer, type StartOptions, startServer } from '../support/server.ts';
import { buildPage } from '../ui/build-page.ts';

const found = chromium();
/** Why nothing can be seen here; null: it can. */
export const skipReason = 'skip' in found ? found.skip : null;
export const titleOf = (what: string) => `${what}${skipReason === null ? '' : ` (skipped: ${skipReason})`}`;

/** What every screen must do with. */
export const widths = { desk: 1280, phone: 390 } as const;

/** A server with its page, and a browser that looks at it. */
export interface Stage {
  server: RunningServer;
  browser: Browser;
  /** A new browser, with nothing kept, that has this screen open. */
  open(screen: string, options?: OpenOptions): Promise<OpenPage>;
  close(): Promise<void>;
}

export interface OpenOptions {
  width?: number;
  theme?: 'light' | 'dark';
  /** Left out: the server's own. */
  baseUrl?: string;
}

export interface OpenPage {
  page: Page;
  context: BrowserContext;
  /** What the browser complained of so far: errors, warnings, answers of 400 and more. */
  complaints: string[];
  /** Addresses that were asked for so far. */
  requested: string[];
  /** Looks at the page as it is: nothing is wrong with it, nothing stands out over its edge, nothing came from elsewhere. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Builds the page, starts the server and the browser. */
export async function startStage(options: StartOptions = {}): Promise<Stage> {
  await buildPage();
  const server = await startServer(options);
  const executablePath = 'executablePath' in found ? found.executablePath : '';
  const browser = await launcher.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  return {
    server,
    browser,
    open: (screen, how = {}) => openPage(browser, screen, { baseUrl: server.baseUrl, ...how }),
    async close() {
      await browser.close();
      await server.stop();
    },
  };
}

async function openPage(
  browser: Browser,
  screen: string,
  { width = widths.desk, theme = 'light', baseUrl = '' }: OpenOptions,
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 860 },
    colorScheme: theme,
    // Nothing has to be waited for that only moves.
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requested: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(`${baseUrl}/ui/#/${screen}`);
  return {
    page,
    context,
    complaints,
    requested,
    async check() {
      expect(await faultsOf(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      expect(requested.filter((url) => !url.startsWith(`${baseUrl}/`))).toEqual([]);
      expect(complaints).toEqual([]);
    },
    close: () => context.close(),
  };
}

/** What axe finds, in a line each. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults;
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary?.replace(/\s+/g, ' ')}`),
  );
}

/** The bytes that elements say that they show, all of one moment. `within`: those that are looked for inside of `selector`. */
export function bytesIn(page: Page, selector: string, within = ' [data-bytes]'): Promise<number[]> {
  return page
    .locator(`${selector}${within}`)
    .evaluateAll((all) => all.map((one) => Number(one.getAttribute('data-bytes'))));
}
