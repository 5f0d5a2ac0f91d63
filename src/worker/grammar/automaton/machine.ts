import { type CharSet, includes } from '../gbnf/gbnf.ts';
import { always, atom, createAlgebra, type Formula, never } from './formula.ts';
import { compileProgram, type Demand, type Instruction } from './program.ts';
import type { Work } from './work.ts';

/** Reads a text character by character, and knows what must still come. Equal states are one. */
export interface Machine {
  readonly start: State;
  /** Characters of one entry are never told apart; together they are all characters. */
  readonly classes: readonly CharSet[];
  /** The entry that a character is in. */
  classOf(code: number): number;
  /** Behind one more character, of that entry. Throws `TooLargeError` once the machine's work is spent. */
  next(state: State, classIndex: number): State;
  accepts(state: State): boolean;
}

export interface State {
  id: number;
  /** Nothing that follows can match. */
  isDead: boolean;
  /** What must still come, all of it. Each in a place of its own: together their alternatives would multiply. */
  parts: readonly Part[];
  /** What each look behind has read, as a text that may end here. */
  behind: readonly Part[];
  /** The states behind it that are known, by class. */
  to: State[];
}

/** A formula; equal ones are one. */
interface Part {
  id: number;
  formula: Formula;
  /** Whether it holds at the end of the text. */
  accepts: boolean;
  /** What it becomes, by the class of the next character and what the looks behind say. */
  to: Map<string, Part>;
}

/** The demand that the text is at its end. */
const endAtom = 0;

/**
 * The machine of all demands together: an alternating automaton, whose states are formulas over places in the patterns.
 * So look-around, several patterns and their opposites are one and the same thing, and no text takes more than one step
 * for each of its characters. `work`: what it may cost, with the states that are asked for. Throws `TooLargeError` once
 * that is spent.
 */
export function createMachine(demands: readonly Demand[], work: Work): Machine {
  const { and, or, not, substitute } = createAlgebra(work.spend);
  const { program, roots, behindStarts } = compileProgram(demands, work);
  const memo = new Map<string, Formula>();
  const classes = classesOf(
    program.flatMap((instruction) => (instruction.type === 'set' ? [instruction.set] : [])),
    work,
  );
  const firsts = classes.map((set) => set[0]![0]);
  /** What a literal becomes, as `Part.to` has it. */
  const steps = new Map<string, Formula>();
  const parts = new Map<string, Part>();
  const states = new Map<string, State>();

  /** What has to follow at an instruction, at a place where the looks behind say `seen`. */
  function demandOf(from: number, isStart: boolean, seen: readonly boolean[]): Formula {
    work.spend(seen.length);
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
      // A pattern of empty alternatives in each other doubles them at every level.
      work.spend(1);
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

  /** What a pattern demands at the start: looks ahead that it begins with are demands of their own. */
  function demandsOf(from: number, seen: readonly boolean[]): Formula[] {
    const instruction = program[from]!;
    if (instruction.type === 'start') return demandsOf(instruction.next, seen);
    if (instruction.type !== 'ahead') return [demandOf(from, true, seen)];
    const ahead = demandOf(instruction.from, true, seen);
    return [instruction.negated ? not(ahead) : ahead, ...demandsOf(instruction.next, seen)];
  }

  const endsHere = (formula: Formula): boolean =>
    formula.some((clause) => clause.every((literal) => ((literal & 1) === 0) === (literal >> 1 === endAtom)));
  const partOf = (formula: Formula): Part => {
    // What always holds has one clause, which is empty: its text must differ from that of what never does.
    const key = formula.map((clause) => `|${clause.join()}`).join('');
    work.spend(1 + key.length);
    let part = parts.get(key);
    if (part === undefined) {
      part = { id: parts.size, formula, accepts: endsHere(formula), to: new Map() };
      parts.set(key, part);
    }
    return part;
  };
  const after = (part: Part, classIndex: number, seen: readonly boolean[]): Part => {
    work.spend(1 + seen.length);
    const place = `${classIndex}${seen.map((isSeen) => (isSeen ? '+' : '-')).join('')}`;
    const known = part.to.get(place);
    if (known !== undefined) return known;
    const found = substitute(part.formula, (literal) => {
      const key = `${place}:${literal}`;
      let step = steps.get(key);
      if (step === undefined) {
        step = stepOf(literal >> 1, classIndex, seen);
        if ((literal & 1) === 1) step = not(step);
        steps.set(key, step);
      }
      return step;
    });
    const next = partOf(found);
    part.to.set(place, next);
    return next;
  };
  const stepOf = (id: number, classIndex: number, seen: readonly boolean[]): Formula => {
    const instruction = program[id]!;
    const isTaken = instruction.type === 'set' && includes(instruction.set, firsts[classIndex]!);
    return isTaken ? demandOf(instruction.next, false, seen) : never;
  };
  const holdsAlways = ({ formula }: Part): boolean => formula[0]?.length === 0;
  const stateOf = (all: readonly Part[], behindNow: readonly Part[]): State => {
    const isDead = all.some(({ formula }) => formula.length === 0);
    const different = isDead ? [] : [...new Set(all.filter((part) => !holdsAlways(part)))].sort((a, b) => a.id - b.id);
    const key = isDead ? '' : [different, behindNow].map((list) => list.map(({ id }) => id).join()).join(';');
    work.spend(1 + all.length + behindNow.length);
    let state = states.get(key);
    if (state === undefined) {
      state = { id: states.size, isDead, parts: different, behind: behindNow, to: [] };
      states.set(key, state);
    }
    return state;
  };

  /** Looks behind may hold looks behind, which come after them in the list. */
  function seenBy(partAt: (index: number, seen: readonly boolean[]) => Part): [Part[], boolean[]] {
    const found: Part[] = [];
    const seen = behindStarts.map(() => false);
    for (let index = seen.length - 1; index >= 0; index--) {
      found[index] = partAt(index, seen);
      seen[index] = found[index]!.accepts;
    }
    return [found, seen];
  }

  const [behindAtStart, seenAtStart] = seenBy((index, seen) => partOf(demandOf(behindStarts[index]!, true, seen)));
  const atStart = roots.flatMap(({ from, negated }) =>
    negated ? [not(demandOf(from, true, seenAtStart))] : demandsOf(from, seenAtStart),
  );

  return {
    classes,
    start: stateOf(atStart.map(partOf), behindAtStart),
    classOf: (code) => classes.findIndex((set) => includes(set, code)),
    next(state, classIndex) {
      const known = state.to[classIndex];
      if (known !== undefined) return known;
      if (state.isDead) return state;
      const [behindNow, seen] = seenBy((index, others) => after(state.behind[index]!, classIndex, others));
      const all = state.parts.map((part) => after(part, classIndex, seen));
      const found = stateOf(all, behindNow);
      state.to[classIndex] = found;
      return found;
    },
    accepts: ({ isDead, parts: all }) => !isDead && all.every((part) => part.accepts),
  };
}

/** All characters, cut where some set begins or ends, and put together again where all sets agree. */
function classesOf(sets: readonly CharSet[], work: Work): readonly CharSet[] {
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
    work.spend(different.length);
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
