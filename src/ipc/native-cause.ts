import { dirname } from 'node:path';

/** Lines of a worker's stderr that are there in every failure, or belong to a stack. */
const saysNothing = [
  /^\s+at /,
  /^(node:internal|Node\.js v|\s*\^|\s*trigger)/,
  /failed to load model$/i,
  /failed to (create|initialize) (the )?context$/i,
  /\bload: Error: /,
  /^\s*$/,
];

/** The library's own words for a failure, the most telling ones first. */
const saysWhy = [/GGML_(ASSERT|ABORT)|\bterminate called|\bwhat\(\):/, /^(fatal|error): /, /^(warn|warning): /];

const mostCharacters = 300;

/**
 * Why the inference library failed, in its own words, out of the last lines of a worker's stderr; null where they do not
 * tell. Fit for a client: no paths, nothing that a terminal would obey, one short sentence without its full stop.
 * `modelPath`: the file that was loaded, whose folder may have any name.
 */
export function nativeCause(stderrTail: readonly string[], modelPath: string): string | null {
  const lines = stderrTail.filter((line) => !saysNothing.some((pattern) => pattern.test(line)));
  const telling = saysWhy.map((pattern) => lines.find((line) => pattern.test(line))).find((line) => line !== undefined);
  const words = telling && clean(telling, modelPath);
  return words ? words : null;
}

function clean(line: string, modelPath: string): string {
  return (
    line
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
      .replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, ' ')
      .replaceAll(`${dirname(modelPath)}/`, '')
      // Where in the library's sources an assertion stands.
      .replace(/^.*(?=GGML_(?:ASSERT|ABORT))/, '')
      .replace(/^(?:fatal|error|warn|warning): /, '')
      // Which of its functions speaks, and what every failed load says.
      .replace(/^(?:\w*_\w*(?:::\w+)*: )+/, '')
      .replace(/^error loading model(?: [a-z]+)?: /, '')
      .replace(/^(?:\w*_\w*(?:::\w+)*: )+/, '')
      .replace(/(?:\b[A-Za-z]:)?(?:[\\/][\w.@+~-]+){2,}/g, '(path)')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, mostCharacters)
      .replace(/[.\s]+$/, '')
  );
}
