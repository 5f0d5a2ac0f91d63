import type { Conversion, Place, SchemaObject } from './context.ts';
import type { Atom, Member as ShapeMember } from './gbnf/gbnf.ts';
import { limits, literal, step } from './gbnf/gbnf.ts';
import { asObject, assertionsOf, createReader, isNever } from './keywords.ts';
import { otherNames } from './other-names.ts';

interface Member extends ShapeMember {
  /** Rule for `"name": value`. */
  atom: Atom;
}

/**
 * The object schema's rule. Declared properties come in the order of the schema, each at most once. Further ones are
 * generated only where `additionalProperties` asks for them, or nothing is declared at all.
 */
export function convertObject(schema: SchemaObject, place: Place, conversion: Conversion): Atom {
  const { rules } = conversion;
  const read = createReader(schema, place, conversion);
  const declared = read.object('properties') ?? {};
  const required = new Set(read.texts('required'));
  const hasDeclared = Object.keys(declared).length + required.size > 0;
  const names = listedNames(read.object('propertyNames'), place, conversion, hasDeclared);
  const additional = read.value('additionalProperties');
  const allNames = [...new Set([...Object.keys(declared), ...required, ...(names ?? [])])];
  // A listed or required name without a schema of its own has that of the additional properties.
  const schemaOf = (name: string): unknown => (Object.hasOwn(declared, name) ? declared[name] : (additional ?? true));
  const possible = allNames.filter((name) => {
    const never = isNever(schemaOf(name)) || (names !== null && !names.includes(name));
    if (never && required.has(name)) {
      conversion.refuse(place.path, `the property ${JSON.stringify(name)} is required, but not allowed.`);
    }
    return !never;
  });
  const open = allNames.length === 0 ? !isNever(additional) : additional !== undefined && !isNever(additional);
  const members = possible.map((name): Member => {
    const inner = {
      root: place.root,
      path: Object.hasOwn(declared, name) ? step(step(place.path, 'properties'), name) : step(place.path, 'required'),
      hint: `${place.hint}-${name}`,
      depth: place.depth + 1,
    };
    const value = conversion.convert(schemaOf(name), inner);
    const key = literal(JSON.stringify(name));
    return {
      key: name,
      value,
      atom: rules.add(`${inner.hint}-kv`, `${key} ${rules.shared('colon')} ${value}`),
      required: required.has(name),
    };
  });
  const counts = countsOf(schema, place, conversion, members, open && names === null);
  const further = open && names === null ? furtherMember(schema, allNames, place, conversion) : null;
  const atom =
    further !== null && members.length === 0
      ? mapOf(further.atom, counts, place, conversion)
      : record(members, further?.atom ?? null, place, conversion);
  return rules.describe(atom, { type: 'object', members, further: further?.value ?? null });
}

/** `"name": value` for a property that is not declared. */
function furtherMember(
  schema: SchemaObject,
  declared: readonly string[],
  place: Place,
  conversion: Conversion,
): { atom: Atom; value: Atom } {
  const { rules } = conversion;
  const inner = (keyword: string, hint: string) => ({
    root: place.root,
    path: step(place.path, keyword),
    hint: `${place.hint}-${hint}`,
    depth: place.depth + 1,
  });
  const value = conversion.convert(schema['additionalProperties'] ?? true, inner('additionalProperties', 'value'));
  const nameSchema = asObject(schema['propertyNames']);
  const key =
    declared.length > 0
      ? rules.add(`${place.hint}-other`, `"\\"" ${otherNames(declared, rules)}`)
      : nameSchema === null
        ? rules.shared('string')
        : conversion.convert({ ...nameSchema, type: 'string' }, inner('propertyNames', 'name'));
  return { atom: rules.add(`${place.hint}-further`, `${key} ${rules.shared('colon')} ${value}`), value };
}

/** An object without declared properties. */
function mapOf(member: Atom, counts: { min: number; max: number | null }, place: Place, { rules }: Conversion): Atom {
  const ws = rules.shared('ws');
  if (counts.max === 0) return rules.add('empty-object', `"{" ${ws} "}"`);
  const next = rules.add(`${place.hint}-next`, `"," ${ws} ${member}`);
  const more = rules.repeat(next, 0, counts.max === null ? null : counts.max - 1);
  const members = sequence(member, more, ws);
  return rules.add(place.hint, `"{" ${ws} ${counts.min === 0 ? `(${members})?` : members} "}"`);
}

/**
 * An object of declared members, and further ones after them. The first member has no comma: until one has come there is
 * one alternative for each that may be first; from then on, each following one brings its comma.
 */
function record(members: readonly Member[], further: Atom | null, place: Place, { rules }: Conversion): Atom {
  const ws = rules.shared('ws');
  const firstRequired = members.findIndex((member) => member.required);
  const leads = firstRequired === -1 ? members.length : firstRequired + 1;
  const tail = further === null ? '' : `("," ${ws} ${further})*`;
  const following = ({ atom, required }: Member): string => (required ? `"," ${ws} ${atom}` : `("," ${ws} ${atom})?`);

  // rests[i]: what may follow once something has come, from member i on. As rules where several alternatives lead there,
  // so that the text grows by one a member.
  const rests: string[] = [];
  let rest = tail;
  for (let index = members.length; index > 0; index--) {
    const member = members[index];
    if (member !== undefined) rest = sequence(following(member), rest);
    if (index < leads && rest !== '') rest = rules.add(`${place.hint}-rest`, rest);
    rests[index] = rest;
  }
  const alternatives = members.slice(0, leads).map((member, index) => sequence(member.atom, rests[index + 1]!));
  if (firstRequired === -1 && further !== null) alternatives.push(sequence(further, tail));
  if (alternatives.length === 0) return rules.add('empty-object', `"{" ${ws} "}"`);
  const content = alternatives.length === 1 ? alternatives[0]! : `(${alternatives.join(' | ')})`;
  const body = firstRequired === -1 ? `(${content} ${ws})?` : `${content} ${ws}`;
  return rules.add(place.hint, `"{" ${ws} ${body} "}"`);
}

function sequence(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

/** `minProperties` and `maxProperties`, refused where the grammar would have to count declared ones. */
function countsOf(
  schema: SchemaObject,
  place: Place,
  conversion: Conversion,
  members: readonly Member[],
  open: boolean,
): { min: number; max: number | null } {
  const read = createReader(schema, place, conversion);
  const min = read.count('minProperties') ?? 0;
  const max = read.count('maxProperties');
  const isMap = open && members.length === 0;
  const surely = members.filter((member) => member.required).length;
  // A map may repeat a name, and two of the same are one property: only "at least one" can be kept.
  if (min > (isMap ? 1 : surely)) {
    conversion.refuse(
      place.path,
      `"minProperties" of ${min} is not supported here.`,
      'List the names under "required".',
    );
  }
  if (max !== null && !isMap && (open || max < members.length)) {
    conversion.refuse(place.path, `"maxProperties" of ${max} is not supported beside "properties".`);
  }
  if (max !== null && max < min) conversion.refuse(place.path, '"maxProperties" is below "minProperties".');
  return { min, max: max === null ? null : Math.min(max, limits.maximumCount) };
}

/** The names that `propertyNames` lists one by one; null when it does not. Refuses other limits on declared names. */
function listedNames(
  schema: SchemaObject | null,
  place: Place,
  conversion: Conversion,
  hasDeclared: boolean,
): readonly string[] | null {
  if (schema === null) return null;
  const path = step(place.path, 'propertyNames');
  const listed = Object.hasOwn(schema, 'const') ? [schema['const']] : schema['enum'];
  if (!Array.isArray(listed)) {
    const limitsNames = Object.keys(assertionsOf(schema, path, conversion.refuse)).some(
      (keyword) => keyword !== 'type',
    );
    if (limitsNames && hasDeclared) conversion.refuse(path, '"propertyNames" is not supported beside "properties".');
    return null;
  }
  if (listed.length > limits.enumValues) conversion.refuse(path, `"enum" has over ${limits.enumValues} values.`);
  return listed.filter((name) => typeof name === 'string');
}
