/**
 * Gives back what the server itself no longer uses. V8 leaves the garbage of loads and requests where it is until its heap
 * has grown by half; when a model goes is a good moment to look for it, a few tens of milliseconds of it and not more.
 * Does nothing where the process runs without `--expose-gc`; `npm start` sets it.
 */
export function collectGarbage(): void {
  void globalThis.gc?.({ type: 'major', execution: 'async' });
}

/**
 * Gives back all that can be, and lets the room for new objects begin small again. Holds up the server for a tenth of a second or
 * two: for the end of a start, and for times when nobody asks anything.
 */
export function releaseMemory(): void {
  void globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
