import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { droppedIn } from './dropped.ts';
import { fieldOf } from './field.ts';
import { validationError } from './validation.ts';

/**
 * One item of a list, checked by its schema; what is wrong is said of `field`, as of any other. `lists`: its own lists, with
 * the most items that each may have: a longer one is refused before anybody looks at a million of them. What the schema does
 * not know is dropped, and named in `ignored`.
 */
export function readItem<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  field: string,
  { lists = {}, ignored }: { lists?: Readonly<Record<string, number>>; ignored?: string[] } = {},
): z.output<Schema> {
  for (const [name, most] of Object.entries(lists)) {
    const list = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    const length = typeof list === 'object' && list !== null ? Object.keys(list).length : 0;
    if (length > most) throw wrong(`${field}.${name}`, `has ${length} items; at most ${most} are taken`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) {
    ignored?.push(...droppedIn(value, parsed.data, withoutPlaces(field)));
    return parsed.data;
  }
  throw validationError(parsed.error.issues.map((issue) => ({ ...issue, path: [...field.split('.'), ...issue.path] })));
}

/** A path without the places of lists, as `x-hearth-ignored` has it. */
const withoutPlaces = (field: string) =>
  field
    .split('.')
    .filter((part) => !/^\d+$/.test(part))
    .join('.');

/** What `/openapi.json` says of a list whose items are looked at one by one, each by its schema. */
export function itemsOf(schema: z.ZodType): Record<never, never> {
  const { $schema: _, ...items } = z.toJSONSchema(schema, { io: 'input' });
  return items;
}

/** How many questions there are. Throws where there is none, or more than `most`. */
export function checkCount(count: number, most: number): void {
  if (count === 0) throw wrong('questions', 'is empty');
  if (count > most) throw wrong('questions', `has ${count} items; at most ${most} are taken`);
}

/** Throws where a list has the same thing twice. */
export function checkUnique(keys: readonly string[], field: string, what: string): void {
  const seen = new Set<string>();
  for (const [index, key] of keys.entries()) {
    if (seen.has(key)) throw wrong(`${field}.${index}`, `repeats ${what}`);
    seen.add(key);
  }
}

/** Something of a client's body that is to be read as a text: as it stands, or as JSON. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The error of a field of a client's, whatever its length. */
export function wrong(path: string, problem: string): AppError {
  const field = fieldOf(path.split('.'));
  return new AppError('invalid_request', `"${field}" ${problem}.`, { field });
}
