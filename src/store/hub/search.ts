import { z } from 'zod';
import { type HubQuantization, quantizationsOf } from './choose-files.ts';
import { createHubFetch } from './hub-fetch.ts';
import type { HubFile } from './hub-file.ts';
import type { HubHttp } from './hub-http.ts';
import { asListingError, type Listing } from './listing.ts';
import { isSafeRepository } from './pull-name.ts';

/** A repository of the hub that has models of ours. */
export interface HubRepository {
  /** `owner/name`. */
  repository: string;
  downloads: number | null;
  likes: number | null;
  /** Whether its maker has to agree before it can be pulled. */
  gated: boolean;
  licence: string | null;
  /** The smallest first; empty where they could not be listed. */
  quantizations: HubQuantization[];
}

/** The library hands on what the hub said as it came: its types are promises that nobody has checked. */
const listedRepository = z.object({
  name: z.string(),
  downloads: z.int().min(0).nullish().catch(null),
  likes: z.int().min(0).nullish().catch(null),
  gated: z.union([z.boolean(), z.string()]).nullish().catch(null),
  sha: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .nullish()
    .catch(null),
  tags: z.array(z.string()).catch([]),
});

/**
 * Repositories with GGUF files by words of their names, those that are downloaded most first. `limit`: at most so many, each of
 * which is listed with a request of its own. Rejects as `Listing.list`.
 */
export async function searchHub(
  deps: { http: HubHttp; base: string; listing: Listing },
  query: string,
  limit: number,
  signal: AbortSignal,
): Promise<HubRepository[]> {
  const { base } = deps;
  const found: z.output<typeof listedRepository>[] = [];
  try {
    const { listModels } = await import('@huggingface/hub');
    const answers = listModels({
      search: { query, tags: ['gguf'] },
      sort: 'downloads',
      limit,
      additionalFields: ['sha', 'tags'],
      hubUrl: base,
      fetch: createHubFetch({ http: deps.http, origin: new URL(base).origin, signal }),
    });
    for await (const answer of answers) found.push(listedRepository.parse(answer));
  } catch (error) {
    throw asListingError(error, signal);
  }
  return Promise.all(
    found.filter(({ name }) => isSafeRepository(name)).map((repository) => withFiles(deps.listing, repository, signal)),
  );
}

async function withFiles(
  listing: Listing,
  { name, downloads, likes, gated, sha, tags }: z.output<typeof listedRepository>,
  signal: AbortSignal,
): Promise<HubRepository> {
  const files = await (sha
    ? listing.files(name, sha, signal)
    : listing.list(name, 'main', signal).then((at) => at.files)
  )
    // One that cannot be listed is still one that was found.
    .catch((): HubFile[] => {
      signal.throwIfAborted();
      return [];
    });
  return {
    repository: name,
    downloads: downloads ?? null,
    likes: likes ?? null,
    gated: gated !== undefined && gated !== null && gated !== false,
    licence: tags.find((tag) => tag.startsWith('license:'))?.slice('license:'.length) ?? null,
    quantizations: quantizationsOf(files),
  };
}
