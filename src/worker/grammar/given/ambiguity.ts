import type { Part, Range } from './read.ts';

type Rules = ReadonlyMap<string, Part>;

/** The characters that may come first, where a recursion begins there: its place, else null. */
interface Opening {
  site: number | null;
  ranges: readonly Range[];
}

/**
 * Whether the engine would have to follow too many readings of one text: it keeps a stack for each, has no limit for them,
 * and compares all with all. Two kinds are found. More than `limit` places may come next (`("x"? "y"?){1000}`): their
 * number is counted. And two recursions of one kind begin alike (`a ::= "x" a "y" | "x" a "z"`): each level doubles the
 * stacks. What is found may be harmless in the texts that a model writes; what is not found grows slowly.
 */
export function hasTooManyReadings(rules: Rules, limit: number): boolean {
  const nullable = nullableRules(rules);
  const isNullable = (part: Part): boolean => partIsNullable(part, nullable);
  const reaches = reachability(rules);
  const counts = new Map<string, number>();
  const openings = new Map<string, Opening[]>();
  let tooMany = false;

  /** Places that may come next at the beginning of a part; infinite for a left recursion, which the engine refuses. */
  const countOf = (part: Part): number => {
    switch (part.type) {
      case 'characters':
        return 1;
      case 'choice':
        return part.items.reduce((sum, item) => sum + countOf(item), 0);
      case 'sequence':
        return countSuffix(part.items, 0);
      case 'repeat': {
        const count = countOf(part.item);
        return isNullable(part.item) && part.max !== Number.POSITIVE_INFINITY ? count * part.max : count;
      }
      case 'rule': {
        const known = counts.get(part.name);
        if (known !== undefined) return known;
        counts.set(part.name, Number.POSITIVE_INFINITY);
        const body = rules.get(part.name);
        const count = body ? countOf(body) : 0;
        counts.set(part.name, count);
        return count;
      }
    }
  };
  const countSuffix = (items: readonly Part[], start: number): number => {
    let count = 0;
    for (let index = start; index < items.length; index++) {
      count += countOf(items[index]!);
      if (!isNullable(items[index]!)) break;
    }
    if (count > limit) tooMany = true;
    return count;
  };

  /** What may come first in a part of rule `within`; recursions back to it are not looked into. */
  const openingsOf = (part: Part, within: string): Opening[] => {
    switch (part.type) {
      case 'characters':
        return [{ site: null, ranges: part.ranges }];
      case 'choice':
        return part.items.flatMap((item) => openingsOf(item, within));
      case 'sequence':
        return openingsOfSuffix(part.items, 0, within);
      case 'repeat':
        return openingsOf(part.item, within);
      case 'rule': {
        const inner = openingsOfRule(part.name);
        if (!reaches(part.name, within)) return inner.map(({ ranges }) => ({ site: null, ranges }));
        return [{ site: part.id, ranges: inner.flatMap(({ ranges }) => ranges) }];
      }
    }
  };
  const openingsOfRule = (name: string): Opening[] => {
    const known = openings.get(name);
    if (known) return known;
    openings.set(name, []);
    const body = rules.get(name);
    const found = body ? openingsOf(body, name) : [];
    openings.set(name, found);
    return found;
  };
  /** `next`: what may come behind them all. */
  const openingsOfSuffix = (
    items: readonly Part[],
    start: number,
    within: string,
    next: readonly Opening[] = [],
  ): Opening[] => {
    const found: Opening[] = [];
    for (let index = start; index < items.length; index++) {
      found.push(...openingsOf(items[index]!, within));
      if (!isNullable(items[index]!)) return found;
    }
    return [...found, ...next];
  };

  /** Alternatives that come back to the rule, wherever in them, each as one place. */
  const recursiveBranches = (items: readonly Part[], within: string): Opening[] =>
    items
      .filter((item) => namesIn(item).some((name) => reaches(name, within)))
      .map((item) => ({ site: item.id, ranges: openingsOf(item, within).flatMap(({ ranges }) => ranges) }));

  /** Looks at every place inside a part. `next`: what may come behind it, in its own rule. */
  const visit = (part: Part, within: string, next: readonly Opening[]): void => {
    if (tooMany) return;
    switch (part.type) {
      case 'choice':
        if (beginAlike([...openingsOf(part, within), ...(isNullable(part) ? next : [])])) tooMany = true;
        if (beginAlike(recursiveBranches(part.items, within))) tooMany = true;
        for (const item of part.items) visit(item, within, next);
        break;
      case 'sequence': {
        for (const [index, item] of part.items.entries()) {
          const after = openingsOfSuffix(part.items, index + 1, within, next);
          countSuffix(part.items, index);
          if (beginAlike([...openingsOf(item, within), ...(isNullable(item) ? after : [])])) tooMany = true;
          visit(item, within, after);
        }
        break;
      }
      case 'repeat':
        visit(part.item, within, part.max > 1 ? [...openingsOf(part.item, within), ...next] : next);
        break;
      default:
    }
  };
  for (const [name, body] of rules) visit(body, name, []);
  return tooMany;
}

/** Whether one character may begin two different recursions. */
function beginAlike(openings: readonly Opening[]): boolean {
  const sites = openings.filter(({ site }) => site !== null);
  return sites.some((own, index) =>
    sites.slice(index + 1).some((other) => own.site !== other.site && overlap(own.ranges, other.ranges)),
  );
}

function overlap(first: readonly Range[], second: readonly Range[]): boolean {
  return first.some(([from, to]) => second.some(([otherFrom, otherTo]) => from <= otherTo && otherFrom <= to));
}

function partIsNullable(part: Part, nullable: ReadonlySet<string>): boolean {
  switch (part.type) {
    case 'characters':
      return false;
    case 'rule':
      return nullable.has(part.name);
    case 'sequence':
      return part.items.every((item) => partIsNullable(item, nullable));
    case 'choice':
      return part.items.some((item) => partIsNullable(item, nullable));
    case 'repeat':
      return part.min === 0 || partIsNullable(part.item, nullable);
  }
}

function nullableRules(rules: Rules): Set<string> {
  const nullable = new Set<string>();
  for (let before = -1; before !== nullable.size; ) {
    before = nullable.size;
    for (const [name, body] of rules) if (partIsNullable(body, nullable)) nullable.add(name);
  }
  return nullable;
}

/** Whether a rule leads to another, through any number of others. */
function reachability(rules: Rules): (from: string, to: string) => boolean {
  const edges = new Map([...rules].map(([name, body]) => [name, new Set(namesIn(body))]));
  const reached = new Map<string, Set<string>>();
  return (from, to) => {
    let found = reached.get(from);
    if (!found) {
      found = new Set(edges.get(from));
      // A set takes additions while it is walked.
      for (const name of found) for (const next of edges.get(name) ?? []) found.add(next);
      reached.set(from, found);
    }
    return found.has(to) || from === to;
  };
}

function namesIn(part: Part): string[] {
  if (part.type === 'rule') return [part.name];
  if (part.type === 'characters') return [];
  return part.type === 'repeat' ? namesIn(part.item) : part.items.flatMap(namesIn);
}
