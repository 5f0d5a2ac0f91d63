import { invalidAnswer } from './hub-errors.ts';
import type { HubHttp, HubResponse } from './hub-http.ts';

const largestJsonBytes = 16 * 2 ** 20;
/** Answers that one question may take: a listing comes in pages, the library follows them for as long as there are more. */
const mostAnswers = 32;

/**
 * A `fetch` for the hub's client library: JSON from the hub itself, through the checks of `HubHttp`, read to its end
 * within bounds. Serves one question to the hub. Headers are ours, so the library gets no token and needs none.
 * Rejects as `HubHttp.get` does; only answers that are good come back.
 */
export function createHubFetch(deps: { http: HubHttp; origin: string; signal: AbortSignal }): typeof fetch {
  const { http, origin, signal } = deps;
  let answers = 0;
  return async (input) => {
    const address = input instanceof Request ? input.url : String(input);
    // The first address is ours, the next ones stand in the hub's answers.
    const url = URL.canParse(address) ? new URL(address) : null;
    if (url?.origin !== origin) throw invalidAnswer('bad_link', 'The hub continues its list on another host.');
    if (++answers > mostAnswers) throw invalidAnswer('too_many_files', 'The repository has too many files.');
    const response = await http.get(url, { headers: { accept: 'application/json' }, signal });
    const body = await readJsonText(response);
    const link = [response.headers.link ?? []].flat().join(', ');
    return new Response(body, {
      status: response.status,
      headers: { 'content-type': 'application/json', ...(link !== '' && { link }) },
    });
  };
}

async function readJsonText(response: HubResponse): Promise<string> {
  const type = response.headers['content-type'] ?? '';
  if (!/\bjson\b/i.test(type)) {
    response.close();
    throw invalidAnswer('not_json', 'The hub answered with a page instead of data.', {
      content_type: type.slice(0, 80),
    });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.chunks()) {
    bytes += chunk.length;
    if (bytes > largestJsonBytes) throw invalidAnswer('too_large', 'The answer of the hub is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
