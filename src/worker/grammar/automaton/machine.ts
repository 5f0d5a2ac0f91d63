import { type CharSet, includes } from '../gbnf/gbnf.ts';
import type { Syntax } from '../pattern/pattern.ts';
import { always, and, atom, type Formula, never, not, or, substitute } from './formula.ts';
import { TooLargeError } from './too-large.ts';

/** What a text must match, or must not. */
export interface Demand {
  syntax: Syntax;
  negated: boolean;
}

/** Reads a text character by character, and knows what must still come. States are equal when their `key` is. */
export interface Machine {
  readonly start: State;
  /** Characters of one entry are never told apart; together they are all characters. */
  readonly classes: readonly CharSet[];
  next(state: State, code: number): State;
  accepts(state: State): boolean;
}

export interface State {
  key: string;
  /** Nothing that follows can match. */
  isDead: boolean;
  formula: Formula;
  /** What each look behind has read, as a text that may end here. */
  behind: readonly Formula[];
}

/** Instructions looked at in all; a pattern of empty alternatives in each other doubles them at every level. */
const maxWalks = 100_000;

/** The demand that the text is at its end. */
const endAtom = 0;

type Instruction =
  | { type: 'set'; set: CharSet; next: number }
  | { type: 'split'; next: readonly number[] }
  | { type: 'ahead'; negated: boolean; from: number; next: number }
  | { type: 'behind'; negated: boolean; index: number; next: number }
  | { type: 'start'; next: number }
  | { type: 'end'; next: number }
  /** Whatever follows. */
  | { type: 'done' };

const word: CharSet = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];

/**
 * The machine of all demands together: an alternating automaton, whose states are formulas over places in the patterns.
 * So look-around, several patterns and their opposites are one and the same thing, and no text takes more than one step
 * for each of its characters.
 */
export function createMachine(demands: readonly Demand[]): Machine {
  const program: Instruction[] = [{ type: 'done' }];
  /** Where the reading of each look behind begins. */
  const behindStarts: number[] = [];
  const behindOf = new Map<Syntax, number>();
  const add = (instruction: Instruction): number => program.push(instruction) - 1;
  const roots = demands.map(({ syntax, negated }) => ({ from: searched(syntax, 0), negated }));
  const memo = new Map<string, Formula>();
  let walks = 0;
  const classes = classesOf(program.flatMap((instruction) => (instruction.type === 'set' ? [instruction.set] : [])));

  /** `syntax` anywhere in what follows, then `next`. */
  function searched(syntax: Syntax, next: number): number {
    const found = compiled(syntax, next);
    return beginsAtStart(syntax) ? found : loop((own) => add({ type: 'set', set: [[0, 0x10ffff]], next: own }), found);
  }

  function loop(bodyOf: (own: number) => number, next: number): number {
    const own = add({ type: 'split', next: [] });
    program[own] = { type: 'split', next: [bodyOf(own), next] };
    return own;
  }

  function compiled(syntax: Syntax, next: number): number {
    switch (syntax.type) {
      case 'set':
        return add({ type: 'set', set: syntax.set, next });
      case 'sequence':
        return syntax.items.reduceRight((following, item) => compiled(item, following), next);
      case 'choice':
        return add({ type: 'split', next: syntax.items.map((item) => compiled(item, next)) });
      case 'repeat': {
        const { item, min, max } = syntax;
        let following = next;
        if (max === null) following = loop((own) => compiled(item, own), next);
        else
          for (let left = max - min; left > 0; left--)
            following = add({ type: 'split', next: [compiled(item, following), next] });
        for (let left = min; left > 0; left--) following = compiled(item, following);
        return following;
      }
      case 'look':
        if (syntax.direction === 'behind') return behind(syntax.item, syntax.negated, next);
        return add({ type: 'ahead', negated: syntax.negated, from: compiled(syntax.item, 0), next });
      case 'start':
        return add({ type: 'start', next });
      case 'end':
        return add({ type: 'end', next });
      case 'boundary': {
        const inWord: Syntax = { type: 'set', set: word };
        const side = (before: boolean) =>
          behind(
            inWord,
            !before,
            add({ type: 'ahead', negated: before !== syntax.negated, from: compiled(inWord, 0), next }),
          );
        return add({ type: 'split', next: [side(true), side(false)] });
      }
    }
  }

  function behind(item: Syntax, negated: boolean, next: number): number {
    let index = behindOf.get(item);
    if (index === undefined) {
      index = behindStarts.length;
      behindOf.set(item, index);
      behindStarts.push(0);
      behindStarts[index] = searched(item, add({ type: 'end', next: 0 }));
    }
    return add({ type: 'behind', negated, index, next });
  }

  /** What has to follow at an instruction, at a place where the looks behind say `seen`. */
  function demandOf(from: number, isStart: boolean, seen: readonly boolean[]): Formula {
    const place = `${isStart ? 's' : ''}${seen.map(Number).join('')}:`;
    const open = new Set<number>();
    let cuts = 0;
    const walk = (at: number): Formula => {
      const known = memo.get(place + at);
      if (known !== undefined) return known;
      // Back at a loop without a character in between: nothing new can match that way.
      if (open.has(at)) {
        cuts++;
        return never;
      }
      if (++walks > maxWalks) throw new TooLargeError();
      open.add(at);
      const cutsBefore = cuts;
      const found = walkInstruction(program[at]!, at);
      open.delete(at);
      if (cuts === cutsBefore || open.size === 0) memo.set(place + at, found);
      return found;
    };
    const walkInstruction = (instruction: Instruction, at: number): Formula => {
      switch (instruction.type) {
        case 'done':
          return always;
        case 'set':
          return atom(at);
        case 'split':
          return or(instruction.next.map(walk));
        case 'ahead': {
          const ahead = walk(instruction.from);
          return and(instruction.negated ? not(ahead) : ahead, walk(instruction.next));
        }
        case 'behind':
          return seen[instruction.index] === instruction.negated ? never : walk(instruction.next);
        case 'start':
          return isStart ? walk(instruction.next) : never;
        case 'end':
          return and(atom(endAtom), walk(instruction.next));
      }
    };
    return walk(from);
  }

  const endsHere = (formula: Formula): boolean =>
    substitute(formula, (id) => (id === endAtom ? always : never)).length > 0;
  const after = (formula: Formula, code: number, seen: readonly boolean[]): Formula =>
    substitute(formula, (id) => {
      const instruction = program[id]!;
      if (instruction.type !== 'set' || !includes(instruction.set, code)) return never;
      return demandOf(instruction.next, false, seen);
    });
  const stateOf = (formula: Formula, behindNow: readonly Formula[]): State => ({
    key:
      formula.length === 0
        ? ''
        : [formula, ...behindNow].map((part) => part.map((clause) => clause.join()).join('|')).join(';'),
    isDead: formula.length === 0,
    formula,
    behind: behindNow,
  });

  /** Looks behind may hold looks behind, which come after them in the list. */
  function seenBy(
    count: number,
    formulaOf: (index: number, seen: readonly boolean[]) => Formula,
  ): [Formula[], boolean[]] {
    const formulas: Formula[] = Array.from({ length: count }, () => never);
    const seen: boolean[] = Array.from({ length: count }, () => false);
    for (let index = count - 1; index >= 0; index--) {
      formulas[index] = formulaOf(index, seen);
      seen[index] = endsHere(formulas[index]!);
    }
    return [formulas, seen];
  }

  const [behindAtStart, seenAtStart] = seenBy(behindStarts.length, (index, seen) =>
    demandOf(behindStarts[index]!, true, seen),
  );
  const start = roots.reduce<Formula>((sum, { from, negated }) => {
    const demand = demandOf(from, true, seenAtStart);
    return and(sum, negated ? not(demand) : demand);
  }, always);

  return {
    classes,
    start: stateOf(start, behindAtStart),
    next(state, code) {
      const [formulas, seen] = seenBy(behindStarts.length, (index, known) => after(state.behind[index]!, code, known));
      return stateOf(after(state.formula, code, seen), formulas);
    },
    accepts: (state) => endsHere(state.formula),
  };
}

/** Whether a pattern can only match from the first character on. */
function beginsAtStart(syntax: Syntax): boolean {
  if (syntax.type === 'start') return true;
  if (syntax.type === 'sequence') return syntax.items[0] !== undefined && beginsAtStart(syntax.items[0]);
  return syntax.type === 'choice' && syntax.items.every(beginsAtStart);
}

/** All characters, cut where some set begins or ends, and put together again where all sets agree. */
function classesOf(sets: readonly CharSet[]): readonly CharSet[] {
  const different = [...new Map(sets.map((set) => [JSON.stringify(set), set])).values()];
  const cuts = new Set([0, 0xd800, 0xe000, 0x110000]);
  for (const set of different)
    for (const [first, last] of set) {
      cuts.add(first);
      cuts.add(last + 1);
    }
  const sorted = [...cuts].sort((a, b) => a - b);
  const places = different.map(() => 0);
  const found = new Map<string, [number, number][]>();
  for (const [index, first] of sorted.slice(0, -1).entries()) {
    if (first === 0xd800) continue;
    const signature = different.map((set, number) => {
      while (set[places[number]!] !== undefined && set[places[number]!]![1] < first) places[number]!++;
      const range = set[places[number]!];
      return range !== undefined && range[0] <= first ? '1' : '0';
    });
    const key = signature.join('');
    const ranges = found.get(key) ?? [];
    found.set(key, ranges);
    const last = sorted[index + 1]! - 1;
    const previous = ranges.at(-1);
    if (previous !== undefined && previous[1] === first - 1) previous[1] = last;
    else ranges.push([first, last]);
  }
  return [...found.values()];
}
