import { existsSync } from 'node:fs';

const usualPlaces = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where Chromium is (CHROMIUM_PATH, then the usual places), or why no browser test can run. */
export function chromium(): { executablePath: string } | { skip: string } {
  const named = process.env['CHROMIUM_PATH'];
  const executablePath = (named ? [named] : usualPlaces).find((path) => existsSync(path));
  if (executablePath !== undefined) return { executablePath };
  return { skip: named ? `CHROMIUM_PATH (${named}) does not exist` : 'Chromium is not installed' };
}
