import type { Conversion, Place, SchemaObject } from './context.ts';
import { countedRecord } from './counted-record.ts';
import type { Atom, Member as ShapeMember } from './gbnf/gbnf.ts';
import { limits, literal, step } from './gbnf/gbnf.ts';
import { createReader, isNever } from './keywords.ts';
import { type Further, furtherMembers, readNames } from './names.ts';

export interface Member extends ShapeMember {
  /** Rule for `"name": value`. */
  atom: Atom;
}

/** How many members an object has. */
export interface Counts {
  min: number;
  max: number | null;
}

/**
 * The object schema's rule. Declared properties come in the order of the schema, each at most once. Further ones are
 * generated where `additionalProperties` or `patternProperties` asks for them, or nothing is declared that may be there.
 */
export function convertObject(schema: SchemaObject, place: Place, conversion: Conversion): Atom {
  const { rules } = conversion;
  const read = createReader(schema, place, conversion);
  const declared = read.object('properties') ?? {};
  const required = new Set(read.texts('required'));
  const names = readNames(schema, place, conversion);
  const additional = read.value('additionalProperties');
  const allNames = [...new Set([...Object.keys(declared), ...required, ...(names.listed ?? [])])];
  // A listed or required name without a schema of its own has that of the patterns, or of the additional properties.
  const schemaOf = (name: string): unknown => {
    const parts = [...(Object.hasOwn(declared, name) ? [declared[name]] : []), ...names.schemasOf(name)];
    if (parts.length === 0) return additional ?? true;
    return parts.length === 1 ? parts[0] : parts.some(isNever) ? false : { allOf: parts };
  };
  const possible = allNames.filter((name) => {
    const never = isNever(schemaOf(name)) || !names.allows(name);
    if (never && required.has(name)) {
      conversion.refuse(place.path, `the property ${JSON.stringify(name)} is required, but not allowed.`);
    }
    return !never;
  });
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
  const isFree = possible.length === 0 ? !isNever(additional) : additional !== undefined && !isNever(additional);
  const further = furtherMembers(schema, { names, declared: allNames, isFree }, place, conversion);
  return rules.describe(written(members, further, countsOf(schema, place, conversion), place, conversion), {
    type: 'object',
    members,
    further: further?.value ?? null,
  });
}

function written(
  members: readonly Member[],
  further: Further | null,
  counts: Counts,
  place: Place,
  conversion: Conversion,
): Atom {
  const surely = members.filter((member) => member.required).length;
  const { min, max } = counts;
  const most = further === null ? members.length : Number.POSITIVE_INFINITY;
  if (min > most || (max !== null && max < surely)) {
    conversion.refuse(place.path, 'no object has as many properties as it asks for.');
  }
  // A name that is not declared may come twice, and two of the same are one property.
  if (min > Math.max(1, members.length)) conversion.leaveOpen(place, 'minProperties');
  if (further !== null && members.length === 0) return mapOf(further.atom, counts, place, conversion);
  if (min <= surely && (max === null || max >= most)) return record(members, further?.atom ?? null, place, conversion);
  const counted = countedRecord(members, further?.atom ?? null, counts, place, conversion);
  if (counted !== null) return counted;
  if (min > surely) conversion.leaveOpen(place, 'minProperties');
  if (max !== null && max < most) conversion.leaveOpen(place, 'maxProperties');
  return record(members, further?.atom ?? null, place, conversion);
}

/** An object without declared properties. */
function mapOf(member: Atom, counts: Counts, place: Place, { rules }: Conversion): Atom {
  const ws = rules.shared('ws');
  if (counts.max === 0) return rules.add('empty-object', `"{" ${ws} "}"`);
  const next = rules.add(`${place.hint}-next`, `"," ${ws} ${member}`);
  const more = rules.repeat(next, Math.max(0, counts.min - 1), counts.max === null ? null : counts.max - 1);
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

function countsOf(schema: SchemaObject, place: Place, conversion: Conversion): Counts {
  const read = createReader(schema, place, conversion);
  const min = read.count('minProperties') ?? 0;
  const max = read.count('maxProperties');
  if (max !== null && max < min) conversion.refuse(place.path, '"maxProperties" is below "minProperties".');
  return { min, max: max === null ? null : Math.min(max, limits.maximumCount) };
}
