import { AppError } from '../../core/errors.ts';
import { createCheck } from './check.ts';
import type { Conversion, Place, SchemaObject } from './context.ts';
import { branchesOf, flatten } from './flatten.ts';
import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { limits, type Refuse, step } from './gbnf/gbnf.ts';
import { asObject, assertionsOf, isNever } from './keywords.ts';
import { createReferences, resolveRef } from './refs.ts';
import { convertTyped } from './typed.ts';

/** A keyword of a schema that its grammar leaves open. `path`: where it stands. */
export interface OpenKeyword {
  path: string;
  keyword: string;
}

/** Converts the whole schema and all it refers to. Gives the rule of its value, and what has to be checked of it. */
export function convertRoot(
  root: unknown,
  deps: { rules: RuleBook; refuse: Refuse; entry: string; mostUnique: number | null },
): { atom: Atom; open: readonly OpenKeyword[] } {
  const { rules, refuse, mostUnique } = deps;
  const references = createReferences(root);
  const check = createCheck({ references, refuse, tick: rules.tick });
  const open: OpenKeyword[] = [];
  /** Rules by schema: `null` while a schema is being converted and nothing inside has referred to it yet. */
  const known = new Map<object, Atom | AppError | null>();
  /** Definitions met, yet to convert: not at once, so that a long chain of them is no deep recursion. */
  const waiting: { name: Atom; schema: unknown; place: Place }[] = [];
  const definitions = new Map<unknown, Atom>();
  const conversion: Conversion = {
    rules,
    refuse,
    references,
    convert,
    mostUnique,
    leaveOpen: ({ path }, keyword) => open.push({ path, keyword }),
    isValid: (schema, place, value) => check(schema, place, value) === null,
  };

  const start = references.find(deps.entry, references.whole) ?? refuse(deps.entry, 'there is no such part.');
  const atom = convert(start.schema, { root: start.root, path: start.path, hint: 'answer', depth: 0 });
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { name, schema, place } = next;
    attempt(
      () => rules.define(name, convert(schema, place)),
      (error) => rules.giveUp(name, error),
    );
  }
  return { atom, open };

  /** What is refused for the schema itself; a limit of size or time ends the whole conversion. */
  function attempt<T>(run: () => T, refused: (error: AppError) => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof AppError) || rules.isSpent) throw error;
      return refused(error);
    }
  }

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
    if (before instanceof AppError) throw before;
    known.set(object, null);
    // JSON Schema lets a part with an `$id` be a document of its own: its `#` is itself.
    const own = references.rootAt(object) ?? place.root;
    const atom = attempt(
      () => convertObjectSchema(object, { ...place, root: own }),
      (error) => {
        const reserved = known.get(object);
        if (typeof reserved === 'string') rules.giveUp(reserved, error);
        known.set(object, error);
        throw error;
      },
    );
    const meanwhile = known.get(object);
    const reserved = typeof meanwhile === 'string' ? meanwhile : null;
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
    const { kept, conditions } = assertionsOf(schema, place.path, refuse);
    const keywords = [...Object.keys(kept), ...Object.keys(conditions)];
    if (keywords.length === 0) return rules.shared('value');
    if (keywords.length === 1) {
      if ('$ref' in kept) return definition(kept['$ref'], place);
      // A description beside a reference is written this way in some drafts.
      const { allOf } = kept;
      if (Array.isArray(allOf) && allOf.length === 1) return convert(allOf[0], deeper(place, 'allOf', 0));
    }
    const flat = flatten(schema, place, conversion);
    if (flat.groups.length === 0) return convertTyped(flat.base, flat.open, place, conversion);
    for (const { keyword, place: at } of flat.open) conversion.leaveOpen(at, keyword);
    const branches = branchesOf(flat, place, conversion).filter((branch) => !isNever(branch));
    if (branches.length === 0) return refuse(place.path, 'no value can match it.');
    const keyword = 'oneOf' in kept ? 'oneOf' : 'anyOf';
    return anyOf(branches, keyword, place);
  }

  /** Branches that cannot be kept are left out, where others are left that say more than null. */
  function anyOf(branches: readonly unknown[], keyword: string, place: Place): Atom {
    const found = branches.map((branch, index): Atom | AppError =>
      attempt<Atom | AppError>(
        () => convert(branch, deeper(place, keyword, index)),
        (error) => error,
      ),
    );
    const atoms = found.filter((atom) => typeof atom === 'string');
    const refusal = found.find((atom) => atom instanceof AppError);
    if (refusal !== undefined && atoms.every((atom) => atom === 'null')) throw refusal;
    return rules.choose(place.hint, atoms, true);
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
      place: { root: target.root, path: target.path, hint: target.hint, depth: 0 },
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
