import type { CharSet } from '../gbnf/gbnf.ts';
import type { Syntax } from '../pattern/pattern.ts';
import type { Work } from './work.ts';

/** What a text must match, or must not. */
export interface Demand {
  syntax: Syntax;
  negated: boolean;
}

/** One place in a pattern; `next` and `from` are places too. 0 is where nothing more is demanded. */
export type Instruction =
  | { type: 'set'; set: CharSet; next: number }
  | { type: 'split'; next: readonly number[] }
  | { type: 'ahead'; negated: boolean; from: number; next: number }
  | { type: 'behind'; negated: boolean; index: number; next: number }
  | { type: 'start'; next: number }
  | { type: 'end'; next: number }
  /** Whatever follows. */
  | { type: 'done' };

const inWord: Syntax = {
  type: 'set',
  set: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x5f, 0x5f],
    [0x61, 0x7a],
  ],
};

/** The patterns of all demands as places that lead to each other. */
export interface Program {
  program: readonly Instruction[];
  /** Where each demand begins, in their order. */
  roots: readonly { from: number; negated: boolean }[];
  /** Where the reading of each look behind begins. Those that stand in one come after it. */
  behindStarts: readonly number[];
}

/** Takes demands apart; `work`: what that may cost. Throws `TooLargeError` once it is spent. */
export function compileProgram(demands: readonly Demand[], work: Work): Program {
  const program: Instruction[] = [{ type: 'done' }];
  const behindStarts: number[] = [];
  const behindOf = new Map<Syntax, number>();
  const add = (instruction: Instruction): number => {
    work.spend(1);
    return program.push(instruction) - 1;
  };

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

  const roots = demands.map(({ syntax, negated }) => ({ from: searched(syntax, 0), negated }));
  return { program, roots, behindStarts };
}

/** Whether a pattern can only match from the first character on. */
function beginsAtStart(syntax: Syntax): boolean {
  if (syntax.type === 'start') return true;
  if (syntax.type === 'sequence') return syntax.items[0] !== undefined && beginsAtStart(syntax.items[0]);
  return syntax.type === 'choice' && syntax.items.every(beginsAtStart);
}
