import type { Conversion, Place, References, Root, Target } from './context.ts';
import { step } from './gbnf/gbnf.ts';
import { asObject } from './keywords.ts';

/** An address that no client writes, for a schema without one. */
const noAddress = 'schema://this/';
/** Values, not schemas: an `$id` inside them names nothing. */
const values = new Set(['enum', 'const', 'default', 'examples', 'example']);

/** Reads the names in a schema: `$id`, `$anchor`, and `id` as draft 4 wrote it. Nothing is ever fetched. */
export function createReferences(schema: unknown): References {
  const roots = new Map<object, Root>();
  const byAddress = new Map<string, Root>();
  const anchors = new Map<string, Omit<Target, 'hint'>>();
  const whole = rootOf(schema, '#', noAddress);
  byAddress.set(noAddress, whole);

  const waiting: { value: unknown; path: string; root: Root }[] = [{ value: schema, path: '#', root: whole }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, path } = next;
    let { root } = next;
    const object = asObject(value);
    if (object !== null) {
      const { $id, id, $anchor, $dynamicAnchor } = object;
      if (typeof $id === 'string' && !$id.startsWith('#')) {
        root = path === '#' ? whole : rootOf(object, path, root.address);
        roots.set(object, root);
        byAddress.set(root.address, root);
      }
      const alias = typeof id === 'string' && !id.startsWith('#') ? absolute(id, root.address) : null;
      if (alias !== null && !byAddress.has(alias))
        byAddress.set(alias, { schema: object, path, address: root.address });
      for (const name of [$anchor, $dynamicAnchor, ...[$id, id].map(fragmentOf)]) {
        if (typeof name === 'string') anchors.set(`${root.address}#${name}`, { schema: object, path, root });
      }
    }
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (!values.has(key)) waiting.push({ value: inner, path: step(path, key), root });
    }
  }

  const follow = (pointer: string, from: Root): Target | null => {
    const target: Target = { schema: from.schema, path: from.path, hint: 'self', root: from };
    for (const raw of pointer.split('/').slice(1)) {
      const key = decode(raw).replaceAll('~1', '/').replaceAll('~0', '~');
      const holder = target.schema;
      if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key)) return null;
      target.schema = (holder as Record<string, unknown>)[key];
      target.path = step(target.path, key);
      target.hint = key;
      const object = asObject(target.schema);
      target.root = (object && roots.get(object)) ?? target.root;
    }
    return target;
  };

  return {
    whole,
    rootAt: (object) => roots.get(object) ?? null,
    find(ref, from) {
      const [address = '', fragment = ''] = ref.split('#', 2);
      const key = address === '' ? null : absolute(address, from.address);
      const root = address === '' ? from : key === null ? undefined : byAddress.get(key);
      if (root === undefined) return null;
      if (fragment === '' || fragment.startsWith('/')) {
        // Many write pointers from the whole schema also inside a part that has an `$id`.
        return follow(fragment, root) ?? (address === '' ? follow(fragment, whole) : null);
      }
      const name = decode(fragment);
      const target = anchors.get(`${root.address}#${name}`) ?? anchors.get(`${whole.address}#${name}`);
      return target === undefined ? null : { ...target, hint: name };
    },
  };
}

function rootOf(schema: unknown, path: string, base: string): Root {
  const id = asObject(schema)?.['$id'];
  const address = typeof id === 'string' ? absolute(id, base) : null;
  return { schema, path, address: address ?? base };
}

/** The address without its fragment, or null for what is none. */
function absolute(id: string, base: string): string | null {
  try {
    const url = new URL(id, base);
    url.hash = '';
    return url.href;
  } catch {
    return null;
  }
}

function fragmentOf(id: unknown): string | null {
  return typeof id === 'string' && id.startsWith('#') && id.length > 1 ? id.slice(1) : null;
}

/** Follows a `$ref` at `place`, or refuses it. */
export function resolveRef(
  ref: unknown,
  { root, path }: Place,
  deps: Pick<Conversion, 'refuse' | 'references'>,
): Target {
  const at = step(path, '$ref');
  if (typeof ref !== 'string') return deps.refuse(at, '"$ref" must be a string.');
  const target = deps.references.find(ref, root);
  if (target !== null) return target;
  const isInside = ref.startsWith('#/') || ref === '#';
  const problem = isInside ? '"$ref" points to nothing.' : '"$ref" must point into this schema.';
  return deps.refuse(at, problem, 'Use "#/$defs/name", and put the schema there.');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign is meant as itself.
    return text;
  }
}
