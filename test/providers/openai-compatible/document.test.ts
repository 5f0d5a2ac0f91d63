import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { services } from '../../../src/providers/openai-compatible/presets.ts';
import { repositoryRoot } from '../../support/server.ts';

it('the document of these services has the table that the code has', () => {
  const text = readFileSync(join(repositoryRoot, 'docs/openai-compatible.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (.+) \|$/gm)].map(([, name, rest]) => [
    name,
    ...rest!.split(' | '),
  ]);
  const yes = (has: boolean) => (has ? 'yes' : 'no');
  expect(rows).toEqual(
    Object.entries(services).map(([name, { baseUrl, needsKey, endpoints, mostLogprobs }]) => [
      name,
      baseUrl === null ? 'none: `base_url` must say it' : `\`${baseUrl}\``,
      needsKey ? 'needed' : 'if it wants one',
      [endpoints.completions && 'completions', endpoints.responses && 'responses'].filter(Boolean).join(', ') ||
        'nothing',
      yes(endpoints.embeddings),
      yes(endpoints.rerank),
      yes(endpoints.count !== null),
      yes(endpoints.tokens !== null),
      endpoints.decisions ? 'as they are' : mostLogprobs === null ? 'no' : 'by log probabilities',
    ]),
  );
});
