import { toAppError } from '../../core/errors.ts';

/** The promise, or the signal's reason if that comes first; the work itself goes on. */
export function withSignal<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  if (signal.aborted) return Promise.reject(toAppError(signal.reason));
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(toAppError(signal.reason));
    signal.addEventListener('abort', onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
