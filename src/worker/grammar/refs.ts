import type { Conversion, Place } from './context.ts';
import { step } from './gbnf/gbnf.ts';

/** A part of the schema that a `$ref` points to. */
interface Target {
  schema: unknown;
  path: string;
  /** Last step of the pointer: the name of a definition, as a rule. */
  hint: string;
}

/** Follows `$ref` inside the root of `place`. Only JSON pointers into this schema: nothing is ever fetched. */
export function resolveRef(ref: unknown, { root, path }: Place, { refuse }: Pick<Conversion, 'refuse'>): Target {
  const at = step(path, '$ref');
  if (typeof ref !== 'string') return refuse(at, '"$ref" must be a string.');
  if (ref !== '#' && !ref.startsWith('#/')) {
    return refuse(at, '"$ref" must point into this schema.', 'Use "#/$defs/name", and put the schema there.');
  }
  const target: Target = { schema: root.schema, path: root.path, hint: 'self' };
  for (const raw of ref.split('/').slice(1)) {
    const key = decode(raw).replaceAll('~1', '/').replaceAll('~0', '~');
    const holder = target.schema;
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key)) {
      return refuse(at, '"$ref" points to nothing.', 'Use "#/$defs/name", and put the schema there.');
    }
    target.schema = (holder as Record<string, unknown>)[key];
    target.path = step(target.path, key);
    target.hint = key;
  }
  return target;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign is meant as itself.
    return text;
  }
}
