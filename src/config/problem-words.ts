import type { z } from 'zod';
import { configJsonSchema, type JsonSchema } from './json-schema.ts';

/** A problem in words: where, behind the path of its issue, and what is expected there. */
interface Wording {
  path: readonly PropertyKey[];
  expected: string;
}

/** Words of the validator itself; everything else is worded by the schemas. */
const validatorsOwn = /^(Invalid|Too (small|big)|Unrecognized)\b/;

/** Texts of the file are shown by their kind only, unless one of some words was expected: others may be secrets. */
const longestShown = 40;

/** Forms that a type alone does not tell. */
const examples: readonly [path: RegExp, example: string][] = [
  [/^failover_chains\.[^.]+$/, '[local, anthropic]'],
  [/^failover_chains\.[^.]+\.providers$/, '[local, anthropic]'],
  [/^failover_chains$/, '{ default: [local, anthropic] }'],
  [/^providers$/, '{ openai: { api_key: "$' + '{OPENAI_API_KEY}" } }'],
  [/^providers\.[^.]+$/, '{ api_key: "$' + '{OPENAI_API_KEY}" }'],
  [/^providers\.[^.]+\.models(\.\d+)?$/, '- id: gpt-4o'],
  [/^budgets\.alert_at$/, '0.85 for 85 %'],
  [/^keys(\.\d+)?$/, '- { name: kitchen, key_file: /run/secrets/kitchen }'],
  [/^models\.aliases$/, '{ fast: qwen }'],
];

/**
 * What is wrong with the settings of a file, for who wrote it: what is expected, and where it helps what was found and what to
 * write. `input`: the file as it is; left out: nothing of it is shown.
 */
export function wordsOf(issue: z.core.$ZodIssue, input?: unknown): { path: readonly PropertyKey[]; text: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      text: `there is no such setting${likeliestOf(key, knownAt(issue.path))}`,
    }));
  }
  return wordingsOf(issue).map(({ path, expected }) => {
    const place = [...issue.path, ...path];
    const found = input === undefined ? '' : foundAt(input, place, expected);
    const example = examples.find(([pattern]) => pattern.test(place.join('.')))?.[1];
    return { path: place, text: `${expected}${found}${example === undefined ? '' : `; such as ${example}`}` };
  });
}

function wordingsOf(issue: z.core.$ZodIssue): Wording[] {
  if (issue.code === 'invalid_key') return [{ path: [], expected: issue.issues[0]?.message ?? issue.message }];
  if (!validatorsOwn.test(issue.message)) return [{ path: [], expected: issue.message }];
  if (issue.code !== 'invalid_union') return [{ path: [], expected: expectedBy(issue) }];
  // A form whose outside fits is the one that was meant.
  const meant = issue.errors.find((branch) => branch.length > 0 && branch.every(({ path }) => path.length > 0));
  if (meant)
    return meant.flatMap((inner) => wordingsOf(inner).map((one) => ({ ...one, path: [...inner.path, ...one.path] })));
  const all = issue.errors.flatMap((branch) => branch.flatMap(wordingsOf)).map(({ expected }) => expected);
  const [first = 'is not valid', ...others] = new Set(all);
  return [{ path: [], expected: [first, ...others.map((text) => text.replace(/^must (be )?/, ''))].join(', or ') }];
}

const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a section of settings',
  record: 'a section of settings',
  map: 'a section of settings',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function expectedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must ${sizeOf(issue.origin, 'at least', issue.minimum)}`;
    case 'too_big':
      return `must ${sizeOf(issue.origin, 'at most', issue.maximum)}`;
    case 'invalid_format':
      return issue.format === 'date' || issue.format === 'datetime'
        ? 'must be a day such as 2027-01-01, or a time such as 2027-01-01T00:00:00Z'
        : `must be of the form ${'pattern' in issue ? issue.pattern : issue.format}`;
    default:
      return 'is not valid';
  }
}

function sizeOf(origin: string, bound: string, size: number | bigint): string {
  if (origin === 'array' || origin === 'set') return `have ${bound} ${size} ${Number(size) === 1 ? 'item' : 'items'}`;
  if (origin === 'string') return `have ${bound} ${size} ${Number(size) === 1 ? 'character' : 'characters'}`;
  return `be ${bound} ${size}`;
}

function foundAt(input: unknown, path: readonly PropertyKey[], expected: string): string {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return ', and is missing';
    value = Reflect.get(value, key);
  }
  const shown = shownOf(value, expected);
  return shown === null || expected.includes(shown) ? '' : `, found ${shown}`;
}

function shownOf(value: unknown, expected: string): string | null {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a section of settings';
  if (typeof value !== 'string') return String(value);
  if (value === '') return 'an empty text';
  const isWord = /^[\w.-]+$/.test(value) && value.length <= longestShown && /one of|true or false/.test(expected);
  return isWord ? `"${value}"` : 'a text';
}

/** Names of settings that a section may have; none where any name may stand there. */
function knownAt(path: readonly PropertyKey[]): string[] {
  let all: JsonSchema[] = [configJsonSchema()];
  for (const key of path) {
    all = all.flatMap(formsOf).flatMap((form) => partOf(form, key) ?? []);
  }
  return [...new Set(all.flatMap(formsOf).flatMap(({ properties = {} }) => Object.keys(properties)))];
}

/** What stands at a place of a list, or at a name: a setting of its own, else whatever any name may have. */
function partOf({ properties, additionalProperties, items }: JsonSchema, key: PropertyKey): JsonSchema | undefined {
  if (typeof key === 'number') return items;
  if (properties && Object.hasOwn(properties, key)) return properties[String(key)];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

function formsOf(schema: JsonSchema): JsonSchema[] {
  return [schema, ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap(formsOf)];
}

function likeliestOf(key: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, distance: distanceOf(key.toLowerCase(), name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0] === undefined ? '' : `; did you mean ${near[0].name}?`;
}

/** Letters that have to be added, taken away or replaced to make one word of the other (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (let place = 0; place < other.length; place++) {
      const replaced = row[place]! + (other[place] === letter ? 0 : 1);
      next.push(Math.min(replaced, row[place + 1]! + 1, next[place]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
