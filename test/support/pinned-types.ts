import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RequestTypes, requestTypes } from './sdk-types.ts';
import { repositoryRoot } from './server.ts';

const folder = join(repositoryRoot, 'test/clients/node_modules');

/** Where the types of each API's requests stand in the client that is pinned for it, and what its requests are called. */
const sources = {
  anthropic: {
    files: ['anthropic-1/resources/beta/messages/messages.d.ts'],
    roots: ['MessageCreateParamsBase', 'MessageCountTokensParams'],
  },
  openai: {
    files: ['chat/completions/completions', 'completions', 'embeddings', 'shared'].map(
      (name) => `openai-7/resources/${name}.d.ts`,
    ),
    roots: ['ChatCompletionCreateParamsBase', 'CompletionCreateParamsBase', 'EmbeddingCreateParams'],
  },
  responses: {
    files: ['responses/responses', 'responses/input-tokens', 'shared'].map((name) => `openai-7/resources/${name}.d.ts`),
    roots: ['ResponseCreateParamsBase', 'InputTokenCountParams', 'ResponseCompactParams'],
  },
  ollama: {
    files: ['ollama/dist/browser.d.ts'],
    roots: [
      ...['ChatRequest', 'GenerateRequest', 'EmbedRequest', 'EmbeddingsRequest', 'ShowRequest'],
      ...['PullRequest', 'CreateRequest', 'CopyRequest', 'DeleteRequest'],
    ],
  },
} as const satisfies Record<string, { files: readonly string[]; roots: readonly string[] }>;

export type PinnedApi = keyof typeof sources;
export const pinnedApis = Object.keys(sources) as PinnedApi[];

/** The file with the types of an API's requests as they were when they were looked at. */
export const recordedFile = (api: PinnedApi) => join(repositoryRoot, `test/fixtures/request-types/${api}.json`);

/** What the recorded file says: the types of an API's requests with their keys. */
export function recordedTypes(api: PinnedApi): RequestTypes {
  const lines = JSON.parse(readFileSync(recordedFile(api), 'utf8')) as Record<string, string>;
  return Object.fromEntries(Object.entries(lines).map(([name, keys]) => [name, keys.split(' ').filter(Boolean)]));
}

/** What the client says that is installed in `test/clients`. */
export function installedTypes(api: PinnedApi): RequestTypes {
  const { files, roots } = sources[api];
  return requestTypes(
    files.map((file) => join(folder, file)),
    roots,
  );
}
