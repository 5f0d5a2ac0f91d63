/** Methods that read a text, or copy it together first; each call counts all of it. */
const ofStrings = [
  ...['indexOf', 'slice', 'lastIndexOf', 'includes', 'startsWith', 'endsWith', 'trim', 'trimStart', 'trimEnd'],
  ...['split', 'replace', 'replaceAll', 'match', 'search'],
] as const;
/**
 * Runs `work` and gives how many characters it let these methods look at: the length of the text of every call, which is
 * what a call costs at most; of a slice, the length of the part. A measure of work that no clock and no other process touches.
 */
export function countCharacters(work: () => void): number {
  let count = 0;
  const restore: (() => void)[] = [];
  const wrap = (holder: object, name: string, cost: (self: unknown, args: unknown[], result: unknown) => number) => {
    const original = Reflect.get(holder, name) as (...args: unknown[]) => unknown;
    const wrapped = function (this: unknown, ...args: unknown[]) {
      const result = original.apply(this, args);
      count += cost(this, args, result);
      return result;
    };
    Object.defineProperty(holder, name, { value: wrapped, configurable: true, writable: true });
    restore.push(() => Object.defineProperty(holder, name, { value: original, configurable: true, writable: true }));
  };
  for (const name of ofStrings) {
    wrap(String.prototype, name, (self, _args, result) => String(name === 'slice' ? result : self).length);
  }
  wrap(RegExp.prototype, 'exec', (_self, [text]) => String(text).length);
  wrap(RegExp.prototype, 'test', (_self, [text]) => String(text).length);
  wrap(JSON, 'parse', (_self, [text]) => String(text).length);
  try {
    work();
  } finally {
    for (const undo of restore) undo();
  }
  return count;
}
