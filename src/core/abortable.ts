/**
 * A wait that a signal can end: for a timer, for a place in a queue. `begin` starts it and returns what withdraws it;
 * it resolves with what `begin`'s callback is given, or withdraws and rejects with the signal's reason.
 */
export function abortable<T>(signal: AbortSignal, begin: (resolve: (value: T) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => {
      withdraw();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const withdraw = begin((value) => {
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    });
  });
}
