import type { Conversion, Place, SchemaObject } from './context.ts';
import { branchesOf, flatten } from './flatten.ts';
import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { limits, type Refuse, step } from './gbnf/gbnf.ts';
import { asObject, assertionsOf, isNever } from './keywords.ts';
import { resolveRef } from './refs.ts';
import { convertTyped } from './typed.ts';

/** Converts the whole schema and all it refers to. Returns the rule of its value. */
export function convertRoot(root: unknown, deps: { rules: RuleBook; refuse: Refuse }): Atom {
  const { rules, refuse } = deps;
  /** Rules by schema: `null` while a schema is being converted and nothing inside has referred to it yet. */
  const known = new Map<object, Atom | null>();
  /** Definitions met, yet to convert: not at once, so that a long chain of them is no deep recursion. */
  const waiting: { name: Atom; schema: unknown; place: Place }[] = [];
  const definitions = new Map<unknown, Atom>();
  const conversion: Conversion = { rules, refuse, convert };

  const result = convert(root, { root: { schema: root, path: '#' }, path: '#', hint: 'answer', depth: 0 });
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    rules.define(next.name, convert(next.schema, next.place));
  }
  return result;

  function convert(schema: unknown, place: Place): Atom {
    rules.tick();
    if (schema === true) return rules.shared('value');
    if (isNever(schema)) return refuse(place.path, 'no value can match it.');
    const object = asObject(schema);
    if (object === null) return refuse(place.path, 'a schema must be an object or a boolean.');
    if (place.depth > limits.depth) return refuse(place.path, `it is nested over ${limits.depth} deep.`);
    const before = known.get(object);
    if (typeof before === 'string') return before;
    if (before === null) {
      const name = rules.reserve(place.hint);
      known.set(object, name);
      return name;
    }
    known.set(object, null);
    // JSON Schema lets a part with an `$id` be a document of its own: its `#` is itself.
    const own = typeof object['$id'] === 'string' ? { schema: object, path: place.path } : place.root;
    const atom = convertObjectSchema(object, { ...place, root: own });
    const reserved = known.get(object) ?? null;
    if (reserved !== null) rules.define(reserved, atom);
    known.set(object, reserved ?? atom);
    return reserved ?? atom;
  }

  function convertObjectSchema(schema: SchemaObject, place: Place): Atom {
    // OpenAPI 3.0. Inside an `allOf` it is left out: the other parts would have to allow null too.
    if (schema['nullable'] === true) {
      const { nullable, ...rest } = schema;
      // An `enum` must list null itself; `nullable` only adds to the type.
      if ('enum' in rest)
        return convertObjectSchema({ ...rest, ...('type' in rest && { type: [rest['type'], 'null'].flat() }) }, place);
      return rules.choose(place.hint, [convertObjectSchema(rest, place), rules.shared('null')]);
    }
    const kept = assertionsOf(schema, place.path, refuse);
    const keywords = Object.keys(kept);
    if (keywords.length === 0) return rules.shared('value');
    if (keywords.length === 1) {
      if ('$ref' in kept) return definition(kept['$ref'], place);
      // A description beside a reference is written this way in some drafts.
      const { allOf } = kept;
      if (Array.isArray(allOf) && allOf.length === 1) return convert(allOf[0], deeper(place, 'allOf', 0));
    }
    const flat = flatten(kept, place, conversion);
    if (flat.groups.length === 0) return convertTyped(flat.base, place, conversion);
    const branches = branchesOf(flat, place, conversion).filter((branch) => !isNever(branch));
    if (branches.length === 0) return refuse(place.path, 'no value can match it.');
    const keyword = 'oneOf' in kept ? 'oneOf' : 'anyOf';
    return rules.choose(
      place.hint,
      branches.map((branch, index) => convert(branch, deeper(place, keyword, index))),
    );
  }

  function definition(ref: unknown, place: Place): Atom {
    const target = resolveRef(ref, place, conversion);
    const before = definitions.get(target.schema);
    if (before !== undefined) return before;
    const name = rules.reserve(target.hint);
    definitions.set(target.schema, name);
    waiting.push({
      name,
      schema: target.schema,
      place: { root: place.root, path: target.path, hint: target.hint, depth: 0 },
    });
    return name;
  }
}

function deeper(place: Place, keyword: string, index: number): Place {
  return {
    root: place.root,
    path: step(step(place.path, keyword), index),
    hint: `${place.hint}-${index + 1}`,
    depth: place.depth + 1,
  };
}
