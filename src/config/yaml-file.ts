import { readFileSync, statSync } from 'node:fs';
import { type Document, isAlias, isMap, isPair, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import { ConfigError } from './config-error.ts';

/** Whatever is larger is no configuration. */
export const largestFileBytes = 2 ** 20;
const deepestNesting = 16;
const mostAliases = 16;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

/** A YAML file as plain data, with a way from a setting's path to its place in the file. */
export interface YamlFile {
  /** Empty sections and nulls are left out: they mean "not set". */
  raw: Record<string, unknown>;
  /** `file:line:column` of a setting, or of its nearest parent; `key` asks for an unknown key in that place. */
  where(path: readonly PropertyKey[], key?: string): string;
}

/**
 * Reads a configuration file. Refuses, with line and column, what has no place in one: several documents, duplicate
 * keys, tags, many aliases, deep nesting, keys that reach prototypes, more than 1 MiB. Throws `ConfigError`.
 */
export function readYamlFile(filePath: string): YamlFile {
  return parseYaml(readText(filePath), filePath);
}

/** As `readYamlFile`, for text that came from `filePath`, which may be a word for where else it came from. */
export function parseYaml(text: string, filePath: string): YamlFile {
  const lines = new LineCounter();
  const at = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${filePath}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const document = parseDocument(text, lines, at);
  checkTree(document, at);
  const raw = withoutNulls(toData(document, at));
  if (raw !== undefined && (typeof raw !== 'object' || Array.isArray(raw))) {
    throw new ConfigError(`${at(0)}: the file must hold settings such as "server:", not a list or a single value`);
  }

  return {
    raw: (raw ?? {}) as Record<string, unknown>,
    where(path, key) {
      for (let length = path.length; length >= 0; length--) {
        const node: unknown = document.getIn(path.slice(0, length), true);
        const unknownKey =
          key !== undefined && isMap(node)
            ? node.items.find((item) => isScalar(item.key) && item.key.value === key)?.key
            : undefined;
        const range = (isScalar(unknownKey) ? unknownKey.range : undefined) ?? rangeOf(node);
        if (range) return at(range[0]);
      }
      return at(0);
    },
  };
}

function readText(filePath: string): string {
  try {
    const stats = statSync(filePath);
    if (!stats.isFile()) throw new ConfigError(`${filePath}: not a regular file`);
    if (stats.size > largestFileBytes)
      throw new ConfigError(`${filePath}: larger than 1 MiB, so not a configuration file`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(filePath));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // Read with replacements, a password would silently be another one.
    if (error instanceof TypeError) throw new ConfigError(`${filePath}: is not UTF-8`, { cause: error });
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new ConfigError(`${filePath}: cannot be read (${code})`, { cause: error });
  }
}

function parseDocument(text: string, lines: LineCounter, at: (offset: number) => string): Document {
  let documents: ReturnType<typeof parseAllDocuments>;
  try {
    documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' });
  } catch (error) {
    // The parser recurses; a file of nothing but brackets exhausts its stack, here or as one of its own errors.
    throw new ConfigError(`${at(0)}: nested too deeply`, { cause: error });
  }
  const [document, second] = documents;
  if (!document) return parseAllDocuments('{}', { lineCounter: new LineCounter() })[0] as Document;
  const problems = document.errors.length > 0 ? document.errors : document.warnings;
  if (problems.length > 0) {
    // A slip makes much of what follows it wrong as well; a name that is there twice does not.
    const [slip, ...others] = problems.filter(({ code }) => code !== 'DUPLICATE_KEY');
    const told = problems.filter((one) => one === slip || !others.includes(one));
    throw new ConfigError(
      told.map(({ pos, message }) => `${at(pos[0])}: ${inWords(message, text, pos[0])}`).join('\n'),
    );
  }
  if (second) throw new ConfigError(`${at(second.range?.[0] ?? 0)}: a second document; the file must hold one`);
  return document;
}

function inWords(message: string, text: string, offset: number): string {
  if (/call stack/.test(message)) return 'nested too deeply';
  return text.slice(offset - 1, offset + 1) === '$' + '{'
    ? 'inside of { } a variable stands in quotes: "$' + '{NAME}"'
    : message;
}

function checkTree(document: Document, at: (offset: number | undefined) => string): void {
  let aliases = 0;
  visit(document, (_key, node, ancestors) => {
    const range = rangeOf(node) ?? rangeOf(isPair(node) ? node.key : undefined);
    if (ancestors.length > deepestNesting) throw new ConfigError(`${at(range?.[0])}: nested too deeply`);
    if (isAlias(node) && ++aliases > mostAliases) throw new ConfigError(`${at(range?.[0])}: too many aliases`);
    if (isPair(node) && (!isScalar(node.key) || forbiddenKeys.has(String(node.key.value)))) {
      throw new ConfigError(`${at(range?.[0])}: this key is not allowed`);
    }
  });
}

function toData(document: Document, at: (offset: number) => string): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    throw new ConfigError(`${at(0)}: ${error instanceof Error ? error.message : 'cannot be read'}`, { cause: error });
  }
}

function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value as object).map(([key, item]) => [key, withoutNulls(item)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function rangeOf(node: unknown): readonly [number, ...number[]] | undefined {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
    ? (node.range as [number, ...number[]])
    : undefined;
}
