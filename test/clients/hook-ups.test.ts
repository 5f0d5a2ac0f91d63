import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks } from '../support/code-blocks.ts';
import { repositoryRoot } from '../support/server.ts';
import { useServer } from './server.ts';

const baseUrl = useServer();
const run = promisify(execFile);
/** As the packages that have several versions here are called. */
const installedAs: Record<string, string> = { openai: 'openai-7', '@anthropic-ai/sdk': 'anthropic-1' };
const blocks = codeBlocks(await readFile(join(repositoryRoot, 'docs/hook-ups.md'), 'utf8')).filter(
  ({ language }) => language === 'js',
);

describe('the lines of docs/hook-ups.md in JavaScript', () => {
  // Beside the packages, so that Node finds them.
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(import.meta.dirname, '.hook-ups-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are there for the clients that have some', () => {
    const headings = ['SDKs of OpenAI', 'SDKs of Anthropic', "Ollama's clients", 'LangChain', 'Vercel AI SDK'];
    expect(blocks.map(({ heading }) => heading)).toEqual(headings);
  });

  it.each(blocks)('print an answer: $heading', async ({ heading, code }) => {
    const file = join(folder, `${heading.replace(/\W/g, '')}.mjs`);
    const here = code
      .replaceAll('http://127.0.0.1:8000', baseUrl())
      .replace(/from '([^']+)'/g, (_, name: string) => `from '${installedAs[name] ?? name}'`);
    await writeFile(file, here);
    const { stdout } = await run(process.execPath, [file]);
    expect(stdout).toMatch(/\w+ \w+/);
  });
});
