import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { PullWish } from '../../core/pull.ts';
import type { LookUpHost } from '../../wire/addresses.ts';
import { combineParts, type GgufFacts, readGgufSource } from '../gguf/gguf.ts';
import { type ChosenFiles, chooseFiles } from './choose-files.ts';
import { type FileResponse, getFileBytes } from './file-response.ts';
import { type HostRules, hubCdnHosts } from './hosts.ts';
import { givenUp, invalidAnswer, lengthError, TransientHubError } from './hub-errors.ts';
import { type FileHash, fileHash, type HubFile, hubFile } from './hub-file.ts';
import { createHubHttp } from './hub-http.ts';
import { createListing } from './listing.ts';
import { checkRevision, type FindEntry, type PullTarget, parsePullName } from './pull-name.ts';
import { createRemoteSource } from './remote-source.ts';
import { type HubRepository, searchHub } from './search.ts';
import type { HubProxy } from './tunnel.ts';

export type { FileHash, HubFile, HubProxy, HubRepository, LookUpHost };
export { fileHash, givenUp, hubCdnHosts, hubFile, invalidAnswer, lengthError, TransientHubError };

/** The files of one model at one commit of a repository. */
export interface HubModel extends ChosenFiles {
  repository: string;
  /** The commit. */
  revision: string;
}

/** A hub of models: names are looked up, headers read and files downloaded here. */
export interface Hub {
  /**
   * Finds the files that a wish means. Rejects with `invalid_request`, `model_not_found`, `hub_access_denied`,
   * `hub_answer_invalid`, with `TransientHubError` for what may pass and with the signal's reason.
   */
  find(wish: PullWish, signal: AbortSignal): Promise<HubModel>;
  /** Reads and checks the headers of all parts. Rejects as `find` does, and with `invalid_model_file`. */
  readFacts(model: HubModel, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<GgufFacts>;
  /** The bytes of a file from `startBytes` to its end. Rejects as `find` does. */
  download(
    from: Pick<HubModel, 'repository' | 'revision'>,
    file: HubFile,
    startBytes: number,
    signal: AbortSignal,
  ): Promise<FileResponse>;
  /** Repositories with models by words of their names, the most downloaded first. Rejects as `find` does. */
  search(query: string, limit: number, signal: AbortSignal): Promise<HubRepository[]>;
  close(): void;
}

interface HubDeps {
  rules: HostRules;
  /** Sent to the hub's own origin only. */
  token: string | null;
  /** Null: the hub is reached directly. */
  proxy: HubProxy | null;
  /** Hearth's own names. */
  findEntry: FindEntry;
  /** Whether a model of that size can be loaded here. */
  fits: (sizeBytes: number) => boolean;
  clock: Clock;
  userAgent: string;
  /** For tests; left out: what the machine has. */
  lookUpHost?: LookUpHost;
}

/** Throws `invalid_request` when the address of a page and the field name different ones. */
function revisionOf(target: PullTarget, wish: PullWish): string {
  if (target.revision !== null && wish.revision !== undefined && target.revision !== wish.revision) {
    throw new AppError('invalid_request', 'The address names another revision than the field.', {
      field: 'revision',
      fix: 'Give it once.',
    });
  }
  return target.revision ?? wish.revision ?? 'main';
}

/** A connection on which nothing arrives for so long is given up. */
const stallMs = 30_000;

/** Speaks to huggingface.co, or to a hub with its API, under the rules of `hosts.ts`. */
export function createHub(deps: HubDeps): Hub {
  const http = createHubHttp({ ...deps, stallMs });
  const base = deps.rules.endpoint.href.replace(/\/$/, '');
  const listing = createListing({ http, base });
  const fileUrl = (repository: string, commit: string, path: string) =>
    new URL(`${base}/${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`);

  return {
    async find(wish, signal) {
      const target = parsePullName(wish.name, deps.findEntry, {
        endpoint: deps.rules.endpoint,
        ...(wish.quantization !== undefined && { quantization: wish.quantization }),
      });
      const revision = revisionOf(target, wish);
      const { commit, files } = await listing.list(target.repository, checkRevision(revision), signal);
      return { ...chooseFiles(files, target, deps.fits), repository: target.repository, revision: commit };
    },
    async readFacts({ repository, revision, files }, onBytes, signal) {
      const parts: GgufFacts[] = [];
      for (const file of files) {
        const url = fileUrl(repository, revision, file.path);
        parts.push(await readGgufSource(createRemoteSource({ http, url, file, signal, onBytes })));
      }
      return combineParts(parts);
    },
    download({ repository, revision }, file, startBytes, signal) {
      const range = { startBytes, endBytes: file.sizeBytes };
      return getFileBytes(http, fileUrl(repository, revision, file.path), file, range, signal);
    },
    search: (query, limit, signal) => searchHub({ http, base, listing }, query, limit, signal),
    close: http.close,
  };
}
