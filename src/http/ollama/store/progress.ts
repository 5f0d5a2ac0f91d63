import { createHash } from 'node:crypto';
import { AppError, type ErrorCode, errorCatalogue } from '../../../core/errors.ts';
import type { PullFailure, PullInfo } from '../../../core/pull.ts';

/** A line of a pull or a creation. */
export interface ProgressLine {
  status: string;
  digest?: string;
  total?: number;
  completed?: number;
}

/**
 * A pull as lines: each file under a digest of its own (of its place at the hub: its bytes are not known yet), then the
 * check, then `success`. Throws what the pull failed of.
 */
export async function* toPullLines(changes: AsyncIterable<PullInfo>): AsyncGenerator<ProgressLine> {
  yield { status: 'pulling manifest' };
  const shown = new Map<string, number>();
  let isVerifying = false;
  for await (const pull of changes) {
    for (const file of pull.files) {
      if (shown.get(file.path) === file.receivedBytes) continue;
      shown.set(file.path, file.receivedBytes);
      const digest = placeDigest(pull, file.path);
      const line = { status: `pulling ${digest.slice(7, 19)}`, digest, total: file.sizeBytes };
      yield { ...line, completed: file.receivedBytes };
    }
    if (pull.state === 'verifying' && !isVerifying) {
      isVerifying = true;
      yield { status: 'verifying sha256 digest' };
    }
    const failure = failureOf(pull);
    if (failure) throw failure;
  }
  yield { status: 'writing manifest' };
  yield { status: 'success' };
}

function placeDigest({ repository, revision }: PullInfo, path: string): string {
  return `sha256:${createHash('sha256').update(`${repository}@${revision}/${path}`).digest('hex')}`;
}

/** Why a pull has ended without its model, or null. */
function failureOf({ state, error }: PullInfo): AppError | null {
  if (state === 'failed') return toFailure(error);
  if (state !== 'cancelled' && state !== 'resumable') return null;
  return new AppError('hub_failed', 'The pull was stopped; the same pull goes on from there.');
}

function toFailure(error: PullFailure | null): AppError {
  const code = error && isCode(error.code) ? error.code : 'hub_failed';
  return new AppError(code, error?.message ?? 'The pull failed.', { ...(error?.fix && { fix: error.fix }) });
}

const isCode = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);
