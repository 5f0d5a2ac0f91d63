import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Keys of an interface in a type file of an installed package, its parents' in the same file included, so that a key that
 * a newer version brings fails a test by its name. `name`: with its namespaces (`ChatCompletionMessage.Annotation`).
 * Reads the layout in which these files are generated: one key a line, four spaces a level.
 */
export function keysOf(typeFile: string, name: string): string[] {
  const lines = readFileSync(fileURLToPath(new URL(`../../node_modules/${typeFile}`, import.meta.url)), 'utf8').split(
    '\n',
  );
  return keysIn(lines, name.split('.'));
}

function keysIn(lines: readonly string[], path: readonly string[]): string[] {
  const [name, ...inner] = path;
  const indent = indentOf(lines);
  if (inner.length > 0) return keysIn(bodyOf(lines, new RegExp(`^${indent}.*namespace ${name} \\{`)), inner);
  const head = new RegExp(`^${indent}(?:export )?(?:declare )?interface ${name}(?: extends (\\w+))? \\{`);
  const parent = lines.map((line) => head.exec(line)?.[1]).find((found) => found !== undefined);
  const body = bodyOf(lines, head);
  const own = indentOf(body);
  const keys = body.flatMap((line) => new RegExp(`^${own}(\\w+)\\??:`).exec(line)?.[1] ?? []);
  return [...new Set([...(parent === undefined ? [] : keysIn(lines, [parent])), ...keys])].sort();
}

/** The lines between the one that opens a block and the one that closes it. */
function bodyOf(lines: readonly string[], head: RegExp): string[] {
  const start = lines.findIndex((line) => head.test(line));
  if (start === -1) throw new Error(`the type file has nothing like ${head}`);
  const closing = `${/^ */.exec(lines[start]!)![0]}}`;
  const end = lines.findIndex((line, index) => index > start && (line === closing || line.startsWith(`${closing};`)));
  return lines.slice(start + 1, end);
}

const indentOf = (lines: readonly string[]) =>
  /^ */.exec(lines.find((line) => /^ *(?:export |\w)/.test(line)) ?? '')![0];
