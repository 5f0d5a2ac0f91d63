import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPage } from './build-page.ts';

const mostBytes = 150_000;
const folder = mkdtempSync(join(tmpdir(), 'hearth-page-'));
let files: Map<string, Buffer>;
beforeAll(async () => {
  await buildPage(folder);
  files = new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name))]),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const textOf = (ending: string) =>
  [...files].filter(([name]) => name.endsWith(ending)).map(([name, bytes]) => [name, bytes.toString()] as const);

describe('the built page', () => {
  it('weighs no more than it may, all its files together', () => {
    const bytes = [...files.values()].reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThanOrEqual(mostBytes);
  });

  it('has nothing inline, which the policy of /ui forbids', () => {
    const index = files.get('index.html')!.toString();
    expect(index).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/i);
  });

  it('asks no other server', () => {
    const foreign = [...textOf('.js'), ...textOf('.css'), ...textOf('.html')].flatMap(([name, text]) =>
      [...text.matchAll(/https?:\/\/[\w.-]+/g)].map(([address]) => `${name}: ${address}`),
    );
    // Names of languages of markup, and what people copy.
    const known = /: (http:\/\/www\.w3\.org|https:\/\/huggingface\.co|http:\/\/127\.0\.0\.1)$/;
    expect(foreign.filter((one) => !known.test(one))).toEqual([]);
  });

  it('names its own files by paths that hold below any path', () => {
    const index = files.get('index.html')!.toString();
    const named = [...index.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((path) => !path.startsWith('./'))).toEqual([]);
  });

  it('sets no text as HTML', () => {
    for (const [name, text] of textOf('.js')) {
      // Preact's own, for what this page does not use.
      const uses = text.match(/\.innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(/g) ?? [];
      expect([name, uses.filter((use) => use !== '.innerHTML')]).toEqual([name, []]);
    }
  });
});
