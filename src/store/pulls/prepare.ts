import { AppError } from '../../core/errors.ts';
import type { FitOutcome } from '../../core/plan.ts';
import type { PullPlan, PullWish } from '../../core/pull.ts';
import { combineSplit, type GgufFacts, readGgufSource } from '../gguf/gguf.ts';
import { type ChosenFiles, chooseFiles } from '../hub/choose-files.ts';
import type { Hub, HubFile } from '../hub/hub.ts';
import type { HubHttp } from '../hub/hub-http.ts';
import { createRemoteSource } from '../hub/remote-source.ts';
import { checkRevision, type FindEntry, resolvePullName } from '../hub/resolve.ts';

/** What is known of a pull before the first byte of its body. */
export interface PreparedPull extends ChosenFiles {
  repository: string;
  /** Commit of the repository. */
  revision: string;
}

/** Finds the files that a wish means. Rejects as `ModelStore.pull` does. */
export async function findPull(
  deps: { hub: Hub; findEntry: FindEntry },
  wish: PullWish,
  signal: AbortSignal,
): Promise<PreparedPull> {
  const target = resolvePullName(wish.name, deps.findEntry, wish.quantization);
  const listing = await deps.hub.list(target.repository, checkRevision(wish.revision ?? 'main'), signal);
  return { ...chooseFiles(listing.files, target), repository: target.repository, revision: listing.commit };
}

/** Reads and checks the headers of all parts at the hub. Rejects with `invalid_model_file` too. */
export async function readRemoteFacts(
  deps: { http: HubHttp; hub: Hub; onBytes: (bytes: number) => void },
  pull: Pick<PreparedPull, 'repository' | 'revision'> & { files: readonly HubFile[] },
  signal: AbortSignal,
): Promise<GgufFacts> {
  const parts: GgufFacts[] = [];
  for (const file of pull.files) {
    const url = deps.hub.fileUrl(pull.repository, pull.revision, file.path);
    parts.push(await readGgufSource(createRemoteSource({ http: deps.http, url, file, signal, onBytes: deps.onBytes })));
  }
  const [only] = parts;
  return only && parts.length === 1 && only.split === null ? only : combineSplit(parts);
}

/**
 * Says what a model will need. `outcome`: the plan over all memory that the server may use, so a refusal means never,
 * not only now. Throws `insufficient_memory` with the numbers for that, unless `force`.
 */
export function planPull(
  outcome: FitOutcome,
  budget: { totalBytes: number },
  wish: { model: string; force: boolean },
): PullPlan {
  const gb = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  if (outcome.type === 'plan') {
    const { contextTokens, slots, expectedBytes } = outcome;
    const places = slots === 1 ? 'one request' : `${slots} requests`;
    return {
      fits: true,
      neededBytes: expectedBytes.total,
      availableBytes: budget.totalBytes,
      message: `Fits: ${gb(expectedBytes.total)} of ${gb(budget.totalBytes)}, with ${contextTokens} tokens for ${places} at a time.`,
    };
  }
  const plan = {
    fits: false,
    neededBytes: outcome.neededBytes,
    availableBytes: budget.totalBytes,
    message: `Does not fit: ${outcome.message}`,
  };
  if (wish.force) return plan;
  throw new AppError('insufficient_memory', `${wish.model} can never be loaded here: ${outcome.message}`, {
    fix: 'Choose a smaller model or quantization, or pull it anyway with force.',
    details: {
      needed_bytes: outcome.neededBytes,
      available_bytes: budget.totalBytes,
      shortfall_bytes: outcome.neededBytes - budget.totalBytes,
    },
  });
}
