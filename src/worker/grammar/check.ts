import { TooLargeError } from './automaton/automaton.ts';
import type { Conversion, Place, References, Root, SchemaObject } from './context.ts';
import { step } from './gbnf/gbnf.ts';
import { asObject } from './keywords.ts';
import { isMultiple } from './multiples.ts';
import type { Syntax } from './pattern/pattern.ts';
import { valuesOf } from './several.ts';
import { keepsTo, matching, readPattern, readTextRules } from './texts.ts';

/** Why a value is not valid: the keyword, where it stands in the schema, and where the value is in what was given. */
export interface Violation {
  keyword: string;
  path: string;
  at: readonly (string | number)[];
}

interface Step {
  root: Root;
  path: string;
  at: readonly (string | number)[];
}

/** Schemas looked at for one value; more are taken for a loop of references. */
const maxSteps = 100_000;

/**
 * Checks values against a schema: what a grammar leaves open, and which given values keep to what stands beside them.
 * Patterns are read as `texts.ts` reads them; a client's regular expression is never run. `only`: the one keyword that
 * counts, for a value that is not complete yet. `countsBranches`: whether a value that fits several branches of a `oneOf`
 * is wrong. `tick`: told of each schema that is looked at, and of the work of its pattern.
 */
export function createCheck(
  deps: { references: References; refuse: Conversion['refuse']; tick: (work?: number) => void },
  { only = null, countsBranches = true }: { only?: string | null; countsBranches?: boolean } = {},
): (schema: unknown, place: Pick<Place, 'root' | 'path'>, value: unknown) => Violation | null {
  let steps = 0;

  function check(schema: unknown, value: unknown, where: Step): Violation | null {
    if (schema === true) return null;
    if (schema === false) return fail('false schema', where);
    const object = asObject(schema);
    if (object === null) return null;
    // OpenAPI 3.0; beside a list of values, null has to be one of them.
    if (value === null && object['nullable'] === true && !('enum' in object)) return null;
    deps.tick();
    if (++steps > maxSteps) return deps.refuse(where.path, 'it takes too long to check a value.');
    const own = { ...where, root: deps.references.rootAt(object) ?? where.root };
    return (
      checkCombinations(object, value, own) ??
      checkGiven(object, value, own) ??
      (typeof value === 'string'
        ? checkText(object, value, own)
        : typeof value === 'number'
          ? checkNumber(object, value, own)
          : Array.isArray(value)
            ? checkArray(object, value, own)
            : value !== null && typeof value === 'object'
              ? checkObject(object, value as SchemaObject, own)
              : null)
    );
  }

  function fail(keyword: string, where: Step): Violation | null {
    return only === null || only === keyword ? { keyword, path: where.path, at: where.at } : null;
  }

  const inside = (where: Step, ...keys: (string | number)[]): Step => ({
    ...where,
    path: keys.reduce(step, where.path),
  });
  const below = (where: Step, key: string | number): Step => ({ ...where, at: [...where.at, key] });
  const fits = (schema: unknown, value: unknown, where: Step): boolean => check(schema, value, where) === null;

  function checkCombinations(schema: SchemaObject, value: unknown, where: Step): Violation | null {
    const { $ref, allOf, anyOf, oneOf, not, if: condition } = schema;
    if (typeof $ref === 'string') {
      const target = deps.references.find($ref, where.root);
      const found = target && check(target.schema, value, { ...where, root: target.root, path: target.path });
      if (found) return found;
    }
    for (const [index, part] of listOf(allOf).entries()) {
      const found = check(part, value, inside(where, 'allOf', index));
      if (found) return found;
    }
    const matches = (branches: readonly unknown[], keyword: string) =>
      branches.filter((branch, index) => fits(branch, value, inside(where, keyword, index))).length;
    if (only === null) {
      if (anyOf !== undefined && matches(listOf(anyOf), 'anyOf') === 0) return fail('anyOf', where);
      if (oneOf !== undefined) {
        const count = matches(listOf(oneOf), 'oneOf');
        if (count === 0 || (count > 1 && countsBranches)) return fail('oneOf', where);
      }
      for (const refused of valuesOf(not)) if (fits(refused, value, inside(where, 'not'))) return fail('not', where);
      if (condition === undefined) return null;
      const branch = fits(condition, value, inside(where, 'if')) ? 'then' : 'else';
      const found = schema[branch] === undefined ? null : check(schema[branch], value, inside(where, branch));
      return found && fail('if', where);
    }
    // What is not complete fits no branch yet: what all of them find wrong is wrong.
    for (const [keyword, branches] of Object.entries({ anyOf, oneOf })) {
      const found = listOf(branches).map((branch, index) => check(branch, value, inside(where, keyword, index)));
      if (found.length > 0 && found.every((violation) => violation !== null)) return found[0]!;
    }
    return null;
  }

  function checkGiven(schema: SchemaObject, value: unknown, where: Step): Violation | null {
    const { type } = schema;
    const types = type === undefined ? [] : Array.isArray(type) ? type : [type];
    const mayBeNull = schema['nullable'] === true && value === null;
    if (types.length > 0 && !mayBeNull && !types.some((name) => isOfType(value, name))) return fail('type', where);
    const listed = schema['enum'];
    if (Array.isArray(listed)) {
      const text = canonical(value);
      if (!listed.some((item) => canonical(item) === text)) return fail('enum', where);
    }
    return 'const' in schema && canonical(schema['const']) !== canonical(value) ? fail('const', where) : null;
  }

  function checkText(schema: SchemaObject, value: string, where: Step): Violation | null {
    const length = Array.from(value).length;
    const rules = readTextRules(schema, { ...where, hint: '', depth: 0 }, deps);
    if (length < rules.minLength) return fail('minLength', where);
    if (rules.maxLength !== null && length > rules.maxLength) return fail('maxLength', where);
    if (only !== null) return null;
    // A `format` is an annotation: values that are written keep to a narrower one than it names.
    return keeps(rules.patterns, value, where) ? null : fail('pattern', where);
  }

  function keeps(syntaxes: readonly Syntax[], value: string, where: Step): boolean {
    if (syntaxes.length === 0) return true;
    try {
      return keepsTo(syntaxes.map(matching), value, deps.tick);
    } catch (error) {
      if (error instanceof TooLargeError) return deps.refuse(where.path, 'its "pattern" takes too much to check.');
      throw error;
    }
  }

  function checkNumber(schema: SchemaObject, value: number, where: Step): Violation | null {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
    if (typeof minimum === 'number' && (value < minimum || (exclusiveMinimum === true && value === minimum)))
      return fail('minimum', where);
    if (typeof maximum === 'number' && (value > maximum || (exclusiveMaximum === true && value === maximum)))
      return fail('maximum', where);
    if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) return fail('exclusiveMinimum', where);
    if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) return fail('exclusiveMaximum', where);
    for (const factor of valuesOf(schema['multipleOf']))
      if (typeof factor === 'number' && !isMultiple(value, factor)) return fail('multipleOf', where);
    return null;
  }

  function checkArray(schema: SchemaObject, value: readonly unknown[], where: Step): Violation | null {
    const { minItems, maxItems, items, prefixItems, contains } = schema;
    if (typeof minItems === 'number' && value.length < minItems) return fail('minItems', where);
    if (typeof maxItems === 'number' && value.length > maxItems) return fail('maxItems', where);
    const isDraft7Tuple = Array.isArray(items);
    const [prefixKeyword, restKeyword] = isDraft7Tuple ? ['items', 'additionalItems'] : ['prefixItems', 'items'];
    const prefix = listOf(isDraft7Tuple ? items : prefixItems);
    const rest = schema[restKeyword!];
    for (const [index, item] of value.entries()) {
      const found =
        index < prefix.length
          ? check(prefix[index], item, below(inside(where, prefixKeyword!, index), index))
          : rest === undefined
            ? null
            : check(rest, item, below(inside(where, restKeyword!), index));
      if (found) return found;
    }
    if (schema['uniqueItems'] === true) {
      const seen = new Set<string>();
      for (const [index, item] of value.entries()) {
        const text = canonical(item);
        if (seen.has(text)) return fail('uniqueItems', below(where, index));
        seen.add(text);
      }
    }
    if (contains === undefined || only !== null) return null;
    const count = value.filter((item, index) => fits(contains, item, below(inside(where, 'contains'), index))).length;
    const [least, most] = [schema['minContains'] ?? 1, schema['maxContains']];
    if (typeof least === 'number' && count < least) return fail('contains', where);
    return typeof most === 'number' && count > most ? fail('maxContains', where) : null;
  }

  function checkObject(schema: SchemaObject, value: SchemaObject, where: Step): Violation | null {
    const names = Object.keys(value);
    const { minProperties, maxProperties, required, propertyNames } = schema;
    if (typeof minProperties === 'number' && names.length < minProperties) return fail('minProperties', where);
    if (typeof maxProperties === 'number' && names.length > maxProperties) return fail('maxProperties', where);
    if (listOf(required).some((name) => typeof name === 'string' && !Object.hasOwn(value, name)))
      return fail('required', where);
    for (const name of names) {
      if (propertyNames !== undefined && only === null && !fits(propertyNames, name, inside(where, 'propertyNames')))
        return fail('propertyNames', where);
      const found = checkProperty(schema, name, value[name], where);
      if (found) return found;
    }
    return only === null ? checkDependencies(schema, value, where) : null;
  }

  function checkProperty(schema: SchemaObject, name: string, value: unknown, where: Step): Violation | null {
    const properties = asObject(schema['properties']);
    const patterns = asObject(schema['patternProperties']) ?? {};
    let isDeclared = false;
    if (properties !== null && Object.hasOwn(properties, name)) {
      isDeclared = true;
      const found = check(properties[name], value, below(inside(where, 'properties', name), name));
      if (found) return found;
    }
    for (const [source, part] of Object.entries(patterns)) {
      const path = inside(where, 'patternProperties', source);
      if (!keeps([readPattern(source, path.path, deps)], name, path)) continue;
      isDeclared = true;
      const found = check(part, value, below(path, name));
      if (found) return found;
    }
    const additional = schema['additionalProperties'];
    if (isDeclared || additional === undefined) return null;
    return (
      check(additional, value, below(inside(where, 'additionalProperties'), name)) &&
      fail('additionalProperties', where)
    );
  }

  function checkDependencies(schema: SchemaObject, value: SchemaObject, where: Step): Violation | null {
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
      for (const [name, demand] of Object.entries(asObject(schema[keyword]) ?? {})) {
        if (!Object.hasOwn(value, name)) continue;
        const isKept = Array.isArray(demand)
          ? demand.every((other) => typeof other === 'string' && Object.hasOwn(value, other))
          : fits(demand, value, inside(where, keyword, name));
        if (!isKept) return fail(keyword, where);
      }
    }
    return null;
  }

  return (schema, { root, path }, value) => {
    steps = 0;
    return check(schema, value, { root, path, at: [] });
  };
}

/** Whether a value has the type of that name. */
function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'object':
      return asObject(value) !== null;
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

/** One text for equal JSON values, whatever the order of their properties. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const object = asObject(value);
  if (object === null) return JSON.stringify(value) ?? 'undefined';
  const members = Object.entries(object).map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`);
  return `{${members.sort().join()}}`;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
