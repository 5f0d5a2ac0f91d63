import { type Demand, emitTable } from './automaton/automaton.ts';
import type { Conversion, Place, SchemaObject } from './context.ts';
import { finiteValues } from './finite.ts';
import { flatten } from './flatten.ts';
import type { Atom } from './gbnf/gbnf.ts';
import { limits, step } from './gbnf/gbnf.ts';
import { createReader, isNever } from './keywords.ts';
import { otherNames } from './other-names.ts';
import type { Syntax } from './pattern/pattern.ts';
import { exactly, keepsTo, matching, notMatching, readPattern, readTextRules, tableFor } from './texts.ts';

/** What an object says about the names of its properties. */
export interface Names {
  /** All that there may be, where `propertyNames` lists them. */
  listed: readonly string[] | null;
  /** Demands on a name that is not declared. */
  demands: readonly Demand[];
  length: { min: number; max: number | null };
  patterns: readonly { source: string; syntax: Syntax; schema: unknown }[];
  /** Whether a name may be there at all. */
  allows(name: string): boolean;
  /** The schemas of the patterns that a name matches. */
  schemasOf(name: string): readonly unknown[];
}

/** `"name": value` for properties that are not declared. */
export interface Further {
  atom: Atom;
  value: Atom;
}

/** Reads `propertyNames` and `patternProperties`. */
export function readNames(schema: SchemaObject, place: Place, conversion: Conversion): Names {
  const read = createReader(schema, place, conversion);
  const path = step(place.path, 'patternProperties');
  const patterns = Object.entries(read.object('patternProperties') ?? {}).map(([source, part]) => ({
    source,
    schema: part,
    syntax: readPattern(source, step(path, source), conversion),
  }));
  const nameSchema = read.value('propertyNames') ?? true;
  const rules = readNameRules(nameSchema, { ...place, path: step(place.path, 'propertyNames') }, conversion);
  return {
    ...rules,
    patterns,
    allows: (name) => conversion.isValid({ propertyNames: nameSchema }, place, { [name]: null }),
    schemasOf: (name) =>
      patterns
        .filter(({ syntax }) => keepsTo([matching(syntax)], name, conversion.rules.tick))
        .map(({ schema: own }) => own),
  };
}

function readNameRules(
  schema: unknown,
  place: Place,
  conversion: Conversion,
): Pick<Names, 'listed' | 'demands' | 'length'> {
  const free = { listed: null, demands: [], length: { min: 0, max: null } };
  if (schema === true) return free;
  if (isNever(schema)) return { ...free, listed: [] };
  const values = finiteValues(schema, place, conversion);
  if (values !== null) {
    if (values.length > limits.enumValues)
      conversion.refuse(place.path, `"enum" has over ${limits.enumValues} values.`);
    return { ...free, listed: values.filter((value) => typeof value === 'string') };
  }
  const { base, groups, open } = flatten(schema as SchemaObject, place, conversion);
  if (groups.length + open.length > 0) conversion.leaveOpen(place, 'propertyNames');
  const { patterns, formats, minLength, maxLength } = readTextRules(base, place, conversion);
  return {
    listed: null,
    demands: [...patterns, ...formats].map(matching),
    length: { min: minLength, max: maxLength },
  };
}

/** The properties that are not declared, one alternative for each pattern and one for the rest; null: there are none. */
export function furtherMembers(
  schema: SchemaObject,
  { names, declared, isFree }: { names: Names; declared: readonly string[]; isFree: boolean },
  place: Place,
  conversion: Conversion,
): Further | null {
  const { rules } = conversion;
  if (names.listed !== null) return null;
  const found: Further[] = [];
  const add = (key: Atom | null, value: unknown, keyword: string) => {
    if (key === null || isNever(value)) return;
    const inner = { ...place, path: step(place.path, keyword), hint: `${place.hint}-value`, depth: place.depth + 1 };
    const atom = conversion.convert(value, inner);
    found.push({ value: atom, atom: rules.add(`${place.hint}-further`, `${key} ${rules.shared('colon')} ${atom}`) });
  };
  const apart = declared.map((name) => notMatching(exactly(name)));
  for (const { syntax, schema: value } of names.patterns) {
    // A name that two patterns take would have to keep to both.
    const others = names.patterns.filter((other) => other.syntax !== syntax).map((other) => notMatching(other.syntax));
    add(keyOf([matching(syntax), ...others]), value, 'patternProperties');
  }
  if (isFree && (names.patterns.length === 0 || schema['additionalProperties'] !== undefined)) {
    add(freeKey(), schema['additionalProperties'] ?? true, 'additionalProperties');
  }
  if (found.length === 0) return null;
  return {
    atom: rules.choose(
      `${place.hint}-further`,
      found.map(({ atom }) => atom),
    ),
    value: rules.choose(
      `${place.hint}-value`,
      found.map(({ value }) => value),
    ),
  };

  function freeKey(): Atom | null {
    const isBare = names.patterns.length + names.demands.length + names.length.min === 0 && names.length.max === null;
    if (!isBare) return keyOf(names.patterns.map(({ syntax }) => notMatching(syntax)));
    if (declared.length === 0) return rules.shared('string');
    return rules.add(`${place.hint}-other`, `"\\"" ${otherNames(declared, rules)}`);
  }

  function keyOf(demands: readonly Demand[]): Atom | null {
    const max = names.length.max ?? null;
    const table = tableFor([...demands, ...names.demands, ...apart], [{ min: names.length.min, max }], conversion);
    if (table === 'none') return null;
    if (table === 'large') {
      const keyword = names.patterns.length > 0 ? 'patternProperties' : 'propertyNames';
      return conversion.refuse(place.path, `"${keyword}" takes too much to keep, together with what stands beside it.`);
    }
    return rules.add(`${place.hint}-name`, `"\\"" ${emitTable(table, `${place.hint}-name`, rules)}`);
  }
}
