import type { Conversion, Place } from './context.ts';
import type { Atom } from './gbnf/gbnf.ts';

const mostRules = 1_000;

/** An object of declared members in their order, and further ones after them, so many in all. Null: too many rules. */
export function countedRecord(
  members: readonly { atom: Atom; required: boolean }[],
  further: Atom | null,
  { min, max }: { min: number; max: number | null },
  place: Place,
  { rules }: Conversion,
): Atom | null {
  const ws = rules.shared('ws');
  const counted = max ?? min;
  if (members.length * (counted + 1) > mostRules) return null;
  const known = new Map<string, string | null>();
  const comma = (count: number, atom: Atom): string => (count === 0 ? atom : `"," ${ws} ${atom}`);

  /** What may follow from a member on, after so many; null: nothing that holds enough. */
  function from(index: number, count: number): string | null {
    const key = `${index} ${Math.min(count, Math.max(counted, 1))}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const member = members[index];
    const found = member === undefined ? atEnd(count) : withMember(member, index, count);
    known.set(key, found);
    return found;
  }

  function withMember(member: { atom: Atom; required: boolean }, index: number, count: number): string | null {
    const ways: string[] = [];
    const next = max !== null && count >= max ? null : from(index + 1, count + 1);
    if (next !== null) ways.push(`${comma(count, member.atom)} ${next}`.trimEnd());
    const without = member.required ? null : from(index + 1, count);
    if (without !== null) ways.push(without === '' ? '""' : without);
    return ways.length === 0 ? null : rules.add(`${place.hint}-rest`, ways.join(' | '));
  }

  function atEnd(count: number): string | null {
    const [least, most] = [Math.max(0, min - count), max === null ? null : max - count];
    if (further === null || most === 0) return least === 0 ? '' : null;
    const next = rules.add(`${place.hint}-next`, `"," ${ws} ${further}`);
    if (count > 0) return rules.repeat(next, least, most);
    const more = rules.repeat(next, Math.max(0, least - 1), most === null ? null : most - 1);
    const some = `${further} ${more}`.trimEnd();
    return least === 0 ? `(${some})?` : some;
  }

  const body = from(0, 0);
  if (body === null) return null;
  return rules.add(place.hint, `"{" ${ws} ${body} ${ws} "}"`);
}
