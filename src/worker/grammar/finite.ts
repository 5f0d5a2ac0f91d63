import { canonical } from './check.ts';
import type { FlatConversion, Place } from './context.ts';
import { branchesOf, flatten } from './flatten.ts';
import { isNever } from './keywords.ts';

const mostValues = 1_000;
const deepest = 8;

/** All values of a schema, each once, or null when they are too many to list. */
export function finiteValues(schema: unknown, place: Place, conversion: FlatConversion): readonly unknown[] | null {
  const found = listed(schema, place, conversion, 0);
  if (found === null) return null;
  return [...new Map(found.map((value) => [canonical(value), value])).values()];
}

function listed(schema: unknown, place: Place, conversion: FlatConversion, depth: number): readonly unknown[] | null {
  if (isNever(schema)) return [];
  if (typeof schema !== 'object' || schema === null || depth > deepest) return null;
  const { base, groups, open } = flatten(schema as Record<string, unknown>, place, conversion);
  if (groups.length > 0) {
    const branches = branchesOf({ base, groups }, place, conversion).map((branch) =>
      listed(branch, place, conversion, depth + 1),
    );
    return branches.includes(null) || open.length > 0 ? null : branches.flatMap((values) => values ?? []);
  }
  const given = candidates(base);
  if (given === null || given.length > mostValues) return null;
  return given.filter(
    (value) =>
      conversion.isValid(base, place, value) &&
      open.every((condition) => conversion.isValid({ [condition.keyword]: condition.value }, condition.place, value)),
  );
}

function candidates(base: Readonly<Record<string, unknown>>): readonly unknown[] | null {
  if ('const' in base) return [base['const']];
  if (Array.isArray(base['enum'])) return base['enum'];
  const { type, minimum, maximum } = base;
  const types: unknown[] = type === undefined ? [] : [type].flat();
  if (types.length === 0) return null;
  const lists = types.map((name): readonly unknown[] | null => {
    if (name === 'boolean') return [false, true];
    if (name === 'null') return [null];
    if (name !== 'integer' || typeof minimum !== 'number' || typeof maximum !== 'number') return null;
    const [low, high] = [Math.ceil(minimum), Math.floor(maximum)];
    return high - low >= mostValues
      ? null
      : Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => low + index);
  });
  return lists.includes(null) ? null : lists.flatMap((values) => values ?? []);
}
