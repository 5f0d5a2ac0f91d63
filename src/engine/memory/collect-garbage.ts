/**
 * Gives back what the server itself no longer uses. V8 leaves the garbage of loads and requests where it is until its heap
 * has grown by half; when a model goes is a good moment to look for it, a few tens of milliseconds of it and not more.
 * Does nothing where the process runs without `--expose-gc`; `npm start` sets it.
 */
export function collectGarbage(): void {
  void globalThis.gc?.({ type: 'major', execution: 'async' });
}
