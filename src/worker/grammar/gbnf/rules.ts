import { openParses, type Shape } from './ambiguity.ts';
import { limits } from './limits.ts';
import type { Refuse } from './refuse.ts';
import { sharedRules } from './shared.ts';
import type { Atom } from './text.ts';

/** The rules of one grammar under construction. */
export interface RuleBook {
  /** Adds a rule and returns its name; a body that is there already gives the name it has. */
  add(hint: string, body: string): Atom;
  /** One of several values; a single one is returned as it is. `spares`: those that are given up later are left out. */
  choose(hint: string, atoms: readonly Atom[], spares?: boolean): Atom;
  /** A name whose rule is defined later. */
  reserve(hint: string): Atom;
  /** A reserved name that gets no value: what needs it is refused with `error`, or left out of a choice that can. */
  giveUp(name: Atom, error: Error): void;
  /** Gives a reserved name a body that reads at least one character. */
  complete(name: Atom, body: string): void;
  /** Gives a reserved name its value. */
  define(name: Atom, atom: Atom): void;
  /** `atom`, `min` to `max` times; `max` null means without end. Returns text for a sequence. */
  repeat(atom: Atom, min: number, max: number | null): string;
  /** One of the rules every JSON grammar has, such as `string`. */
  shared(name: string): Atom;
  /** Tells what a rule is made of, for the count of open parses. */
  describe(atom: Atom, shape: Shape): Atom;
  /** Counts what the conversion does, in the unit of `limits.work`; without `work` one step. Refuses too much of it. */
  tick(work?: number): void;
  /** A limit of size, work or time was met: no other way to convert a part helps. */
  readonly isSpent: boolean;
  /**
   * The finished text. Refuses a rule that leads to itself without reading a character, and one that leaves too many
   * parses open.
   */
  print(root: Atom): string;
}

/** `now`: milliseconds of any clock; the conversion is refused once `limits.budgetMs` have passed. */
export function createRuleBook(deps: { refuse: Refuse; now: () => number }): RuleBook {
  const { refuse, now } = deps;
  const bodies = new Map<string, string>();
  const nameOfBody = new Map<string, string>();
  /** Rules that stand for other values without a character before them. */
  const aliases = new Map<string, readonly Atom[]>();
  const shapes = new Map<string, Shape>();
  const taken = new Set<string>(['root']);
  const nextSuffix = new Map<string, number>();
  const startedMs = now();
  const sparing = new Set<Atom>();
  const givenUp = new Map<Atom, Error>();
  let characters = 0;
  let expanded = 0;
  let worked = 0;

  let isSpent = false;
  const tooLarge = (what: string): never => {
    isSpent = true;
    return refuse(
      '#',
      `its grammar would have over ${what}.`,
      'Use a smaller schema, or split it over several requests.',
    );
  };
  const spend = (count: number) => {
    expanded += count;
    if (expanded > limits.expandedRules) tooLarge(`${limits.expandedRules} repetitions`);
  };
  const put = (name: string, body: string) => {
    book.tick();
    characters += name.length + body.length + 6;
    if (characters > limits.outputCharacters) tooLarge(`${limits.outputCharacters / 1024} KiB`);
    bodies.set(name, body);
  };
  const fresh = (hint: string): string => {
    if (taken.size >= limits.rules) tooLarge(`${limits.rules} rules`);
    const base = ruleName(hint);
    let name = base;
    // Counted on, not searched from the start: a thousand equal names would take a million look-ups.
    for (let suffix = nextSuffix.get(base) ?? 2; taken.has(name) || name in sharedRules; suffix++) {
      name = `${base}-${suffix}`;
      nextSuffix.set(base, suffix + 1);
    }
    taken.add(name);
    return name;
  };

  const book: RuleBook = {
    add(hint, body) {
      const known = nameOfBody.get(body);
      if (known !== undefined) return known;
      const name = fresh(hint);
      nameOfBody.set(body, name);
      put(name, body);
      return name;
    },
    choose(hint, atoms, spares = false) {
      const different = [...new Set(atoms)];
      if (different.length === 1) return different[0]!;
      const name = book.add(hint, different.join(' | '));
      aliases.set(name, different);
      if (spares) sparing.add(name);
      return name;
    },
    reserve: fresh,
    giveUp: (name, error) => givenUp.set(name, error),
    complete: put,
    define(name, atom) {
      aliases.set(name, [atom]);
      put(name, atom);
    },
    repeat(atom, min, max) {
      if (max !== null && max <= limits.engineRepetition) {
        spend(max);
        return max === 0 ? '' : max === 1 && min === 1 ? atom : `${atom}${quantifier(min, max)}`;
      }
      spend(min);
      if (max === null) return `${atom}${quantifier(min, null)}`;
      return inBlocks(book, atom, min, max);
    },
    shared(name) {
      if (bodies.has(name)) return name;
      const { body, uses } = sharedRules[name]!;
      taken.add(name);
      put(name, body);
      for (const used of uses) book.shared(used);
      return name;
    },
    describe(atom, shape) {
      shapes.set(atom, shape);
      return atom;
    },
    tick(work = limits.stepWork) {
      worked += work;
      if (worked <= limits.work && now() - startedMs <= limits.budgetMs) return;
      isSpent = true;
      refuse('#', 'it takes too much to convert.', 'Use a smaller schema.');
    },
    get isSpent() {
      return isSpent;
    },
    print(root) {
      dropGivenUp(root, { bodies, aliases, sparing, givenUp, tick: book.tick });
      if (hasLoop(aliases)) {
        refuse('#', 'a "$ref" leads back to itself without a value on the way.', 'Remove the circular "$ref".');
      }
      const parses = openParses(root, { shapes, aliases, tick: book.tick });
      if (parses > limits.openParses) {
        refuse(
          '#',
          Number.isFinite(parses)
            ? `${parses} alternatives in each other begin alike, ${limits.openParses} are possible.`
            : 'two alternatives begin alike and both lead back to the same place.',
          'Let the alternatives begin with a property that tells them apart, such as a required "const".',
        );
      }
      put('root', root);
      return `${[...bodies].map(([name, body]) => `${name} ::= ${body}`).join('\n')}\n`;
    },
  };
  return book;
}

/**
 * More repetitions than the engine takes: whole blocks, then part of one. Written so that at most three parses are
 * open at a time; `(block? rest?)*` would open one for each length.
 */
function inBlocks(book: RuleBook, atom: Atom, min: number, max: number): string {
  const size = 100;
  const head = min === 0 ? '' : `${book.repeat(atom, min, min)} `;
  const count = Math.floor((max - min) / size);
  const block = book.add('block', book.repeat(atom, size, size));
  const partly = `${book.repeat(block, 0, count - 1)} ${book.repeat(atom, 0, size - 1)}`;
  const full = `${book.repeat(block, count, count)} ${book.repeat(atom, 0, (max - min) % size)}`;
  return `${head}(${partly} | ${full.trimEnd()})`;
}

/**
 * Takes out the rules that need one that was given up, and the alternatives that lead to them. Throws the error of the
 * first one that the root cannot do without.
 */
function dropGivenUp(
  root: Atom,
  book: {
    bodies: Map<Atom, string>;
    aliases: Map<Atom, readonly Atom[]>;
    sparing: ReadonlySet<Atom>;
    givenUp: ReadonlyMap<Atom, Error>;
    tick: () => void;
  },
): void {
  const gone = new Map(book.givenUp);
  if (gone.size === 0) return;
  const uses = new Map([...book.bodies].map(([name, body]) => [name, namesIn(body)]));
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const [name, used] of uses) {
      book.tick();
      if (gone.has(name)) continue;
      const lost = used.filter((other) => gone.has(other));
      if (lost.length === 0) continue;
      if (book.sparing.has(name) && used.some((other) => !gone.has(other) && other !== 'null')) continue;
      gone.set(name, gone.get(lost[0]!)!);
      isNew = true;
    }
  }
  const fatal = gone.get(root);
  if (fatal !== undefined) throw fatal;
  for (const name of gone.keys()) {
    book.bodies.delete(name);
    book.aliases.delete(name);
  }
  for (const name of book.sparing) {
    const kept = book.aliases.get(name)?.filter((atom) => !gone.has(atom));
    if (kept === undefined) continue;
    book.aliases.set(name, kept);
    book.bodies.set(name, kept.join(' | '));
  }
}

/** The rules that a body uses. */
function namesIn(body: string): string[] {
  const tokens = body.match(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{[0-9,]*\}|[A-Za-z][A-Za-z0-9-]*/g) ?? [];
  return tokens.filter((token) => /^[A-Za-z]/.test(token));
}

/** The shortest spelling: `*`, `+`, `?` or braces. */
function quantifier(min: number, max: number | null): string {
  if (max === null) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
  if (min === 0 && max === 1) return '?';
  return min === max ? `{${min}}` : `{${min},${max}}`;
}

/** GBNF takes letters, digits and dashes; the hint only helps a reader. */
function ruleName(hint: string): string {
  const name = hint
    .slice(0, 40)
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'rule' : name;
}

/** Depth-first with a list instead of calls: a chain of references may be thousands long. */
function hasLoop(edges: ReadonlyMap<string, readonly string[]>): boolean {
  const done = new Set<string>();
  const open = new Set<string>();
  for (const start of edges.keys()) {
    const work: { name: string; leave: boolean }[] = [{ name: start, leave: false }];
    while (work.length > 0) {
      const { name, leave } = work.pop()!;
      if (leave) {
        open.delete(name);
        done.add(name);
        continue;
      }
      if (open.has(name)) return true;
      if (done.has(name)) continue;
      open.add(name);
      work.push({ name, leave: true });
      for (const next of edges.get(name) ?? []) work.push({ name: next, leave: false });
    }
  }
  return false;
}
