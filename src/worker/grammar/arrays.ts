import type { Conversion, Place, SchemaObject } from './context.ts';
import { finiteValues } from './finite.ts';
import type { Atom } from './gbnf/gbnf.ts';
import { limits, step } from './gbnf/gbnf.ts';
import { createReader, isNever } from './keywords.ts';
import { uniqueArray } from './unique.ts';

/**
 * The array schema's rule. Without `minItems`, all `prefixItems` are generated: a tuple that may be cut short is valid,
 * but nobody means it.
 */
export function convertArray(schema: SchemaObject, place: Place, conversion: Conversion): Atom {
  const { rules, refuse } = conversion;
  const read = createReader(schema, place, conversion);
  const isDraft7Tuple = Array.isArray(read.value('items'));
  const prefix = (isDraft7Tuple ? read.list('items') : read.list('prefixItems')) ?? [];
  const rest = isDraft7Tuple ? read.value('additionalItems') : read.value('items');

  const wishedMin = read.count('minItems');
  const wishedMax = read.count('maxItems');
  if ((wishedMin ?? 0) > limits.minimumCount) refuse(place.path, `"minItems" must be at most ${limits.minimumCount}.`);
  const most = Math.min(
    wishedMax ?? Number.POSITIVE_INFINITY,
    isNever(rest) ? prefix.length : Number.POSITIVE_INFINITY,
  );
  const min = wishedMin ?? Math.min(prefix.length, most);
  if (most < min)
    refuse(place.path, 'no array has as many items as it asks for.', 'Compare "minItems" with "maxItems".');
  // Without a word about further items, a tuple ends with its prefix.
  const endless = most === Number.POSITIVE_INFINITY;
  const capped = endless ? (prefix.length > 0 && rest === undefined ? Math.max(prefix.length, min) : null) : most;
  let max = capped === null ? null : Math.min(capped, limits.maximumCount);
  const ws = rules.shared('ws');
  if (max === 0) return rules.add('empty-array', `"[" ${ws} "]"`);

  const inner = (key: string | number, hint: string): Place => ({
    root: place.root,
    path: step(place.path, key),
    hint: `${place.hint}-${hint}`,
    depth: place.depth + 1,
  });
  const item = (index: number): Atom =>
    conversion.convert(prefix[index], {
      ...inner(isDraft7Tuple ? 'items' : 'prefixItems', `item-${index + 1}`),
      path: step(step(place.path, isDraft7Tuple ? 'items' : 'prefixItems'), index),
    });
  if (read.value('uniqueItems') === true && (max === null || max > 1)) {
    const values = prefix.length > 0 ? null : finiteValues(rest, inner('items', 'item'), conversion);
    const size = { min, max: Math.min(max ?? Number.POSITIVE_INFINITY, values?.length ?? 0) };
    if (values !== null && values.length < min)
      refuse(place.path, `it has fewer different items than "minItems" asks for.`);
    const atom = values === null ? null : uniqueArray(values, size, place.hint, rules);
    if (atom !== null) return atom;
    conversion.leaveOpen(place, 'uniqueItems');
    // Longer ones have shown that their items repeat.
    const { mostUnique } = conversion;
    if (mostUnique !== null && mostUnique >= min && mostUnique < (max ?? Number.POSITIVE_INFINITY)) max = mostUnique;
    if (max === 0) return rules.add('empty-array', `"[" ${ws} "]"`);
  }
  const fixedCount = Math.min(prefix.length, max ?? prefix.length);
  const fixed = Array.from({ length: fixedCount }, (_, index) => item(index));
  const leftMax = max === null ? null : max - fixedCount;
  const other =
    leftMax === 0 ? null : conversion.convert(rest ?? true, inner(isDraft7Tuple ? 'additionalItems' : 'items', 'item'));

  const following = (atom: Atom): Atom => rules.add(`${place.hint}-next`, `"," ${ws} ${atom}`);
  const repeated = (min: number, max: number | null): string[] => {
    const text = other === null ? '' : rules.repeat(following(other), Math.max(0, min), max);
    return text === '' ? [] : [text];
  };
  let body: string[];
  if (fixed.length === 0) body = [other!, ...repeated(min - 1, leftMax === null ? null : leftMax - 1)];
  else {
    body = repeated(min - fixed.length, leftMax);
    // From the back: an item may only come when the one before it is there.
    for (let index = fixed.length - 1; index >= 0; index--) {
      const own = index === 0 ? fixed[index]! : following(fixed[index]!);
      const optionalFromHere = index >= min && index > 0;
      const text = [own, ...body].join(' ');
      body = [optionalFromHere ? `(${text})?` : text];
    }
  }
  const items = `${body.join(' ')} ${ws}`;
  const atom = rules.add(place.hint, `"[" ${ws} ${min === 0 ? `(${items})?` : items} "]"`);
  return rules.describe(atom, { type: 'array', items: [...fixed, ...(other === null ? [] : [other])] });
}
