import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** One import as it stands in a source file. */
export interface Import {
  /** What stands between the quotes. */
  specifier: string;
  /** True when nothing of it is left at run time (`import type`, `typeof import(…)`). */
  typeOnly: boolean;
}

/** Imports by file; names are relative to the scanned folder, with forward slashes. */
export type ImportGraph = ReadonlyMap<string, readonly Import[]>;

const staticImport =
  /^[ \t]*(?:import|export)\b(?<type>\s+type\b(?!\s*,|\s+from\b))?(?:[^'";]*?\bfrom)?\s*['"](?<specifier>[^'"]+)['"]/gm;
const dynamicImport = /(?<typeof>\btypeof\s+)?\bimport\(\s*['"](?<specifier>[^'"]+)['"]\s*\)(?<member>\.[A-Z])?/g;

/**
 * The imports of a TypeScript source: import and export-from statements, `import('…')` with a literal.
 * Works on text, so comments are taken out first; a string that holds a whole import statement at the start of a line
 * would fool it.
 */
export function importsOf(source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  for (const { groups } of code.matchAll(staticImport)) {
    found.push({ specifier: groups!['specifier']!, typeOnly: groups!['type'] !== undefined });
  }
  for (const { groups } of code.matchAll(dynamicImport)) {
    // `import('x').Name` is a type; the value form is `(await import('x')).name`.
    const typeOnly = groups!['typeof'] !== undefined || groups!['member'] !== undefined;
    found.push({ specifier: groups!['specifier']!, typeOnly });
  }
  return found;
}

/** Blanks out comments; a `//` inside a string or a regular expression (after a quote, a colon or a slash) stays. */
export function withoutComments(source: string): string {
  return source.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, '').replace(/(^|[\s;{}()])\/\/.*$/gm, '$1');
}

/** Every .ts file below `folder`, relative to it, sorted. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** Reads the imports of every .ts file below `folder`. */
export function readImportGraph(folder: string): ImportGraph {
  return new Map(sourceFiles(folder).map((file) => [file, importsOf(readFileSync(join(folder, file), 'utf8'))]));
}

/** The file that a relative specifier leads to, or null for a package or a Node module. */
export function targetOf(file: string, specifier: string): string | null {
  return specifier.startsWith('.') ? join(dirname(file), specifier).replaceAll('\\', '/') : null;
}

/**
 * Groups of files that import each other in a circle, each sorted. Imports of types count: who needs a type needs to
 * know the file, and two that need each other are one.
 */
export function findCycles(graph: ImportGraph): string[][] {
  // Tarjan: a file is the root of its group when nothing that it reaches leads further back.
  const order = new Map<string, number>();
  const back = new Map<string, number>();
  const open: string[] = [];
  const groups: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    back.set(file, order.get(file)!);
    open.push(file);
    let importsItself = false;
    for (const { specifier } of graph.get(file)!) {
      const target = targetOf(file, specifier);
      if (target === null || !graph.has(target)) continue;
      if (target === file) importsItself = true;
      if (!order.has(target)) visit(target);
      if (open.includes(target)) back.set(file, Math.min(back.get(file)!, back.get(target)!));
    }
    if (back.get(file) !== order.get(file)) return;
    const group = open.splice(open.indexOf(file));
    if (group.length > 1 || importsItself) groups.push(group.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return groups;
}

/** The folder of a file, empty for the scanned one. */
export function folderOf(file: string): string {
  return file.split('/').slice(0, -1).join('/');
}

/** Whether a file stands in a folder or below it. */
export function isWithin(file: string, folder: string): boolean {
  return folder === '' || file.startsWith(`${folder}/`);
}

/** Every import of one of our own files by another. */
export function importsAmongUs(graph: ImportGraph): { file: string; target: string }[] {
  return [...graph].flatMap(([file, imports]) =>
    imports.flatMap(({ specifier }) => {
      const target = targetOf(file, specifier);
      return target === null ? [] : [{ file, target }];
    }),
  );
}

/** What `entry` pulls in at run time: our own files, and the packages and Node modules by specifier. */
export function closureOf(graph: ImportGraph, entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const { specifier, typeOnly } of graph.get(file) ?? []) {
      if (typeOnly) continue;
      const target = targetOf(file, specifier);
      if (target === null) packages.add(specifier);
      else queue.push(target);
    }
  }
  return { files, packages };
}
