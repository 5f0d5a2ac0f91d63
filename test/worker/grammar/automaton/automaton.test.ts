import { describe, expect, it } from 'vitest';
import {
  createMachine,
  createWork,
  TooLargeError,
  tableOf,
} from '../../../../src/worker/grammar/automaton/automaton.ts';
import { parseSyntax, writable } from '../../../../src/worker/grammar/pattern/pattern.ts';

/** What the table of a pattern costs, and its size; null: more than `allowed`. */
function costOf(patterns: readonly string[], maxLength: number | null, allowed: number) {
  const work = createWork(allowed);
  try {
    const demands = patterns.map((source) => ({ syntax: parseSyntax(source), negated: false }));
    const machine = createMachine(demands, work);
    const table = tableOf(machine, { minLength: 0, maxLength, writable, maxRows: 2_000, work });
    return { work: work.spent, rows: table?.length ?? 0 };
  } catch (error) {
    if (error instanceof TooLargeError) return null;
    throw error;
  }
}

describe('the automaton of a text', () => {
  it('costs the same work every time, and takes exactly as much as it is allowed', () => {
    const patterns = ['^(?=.*[a-z])(?=.*\\d).{8,64}$', '\\bx'];
    const found = costOf(patterns, 80, 1_000_000)!;
    expect(found.rows).toBeGreaterThan(100);
    expect(costOf(patterns, 80, found.work)).toEqual(found);
    expect(costOf(patterns, 80, found.work - 1)).toBeNull();
  });

  it('adds the cost of demands at the start up, and does not multiply it', () => {
    const demands = ['.{0,40}a$', '.{0,40}b', '.{0,40}c', '.{0,40}d'].map((source) => `(?=${source})`);
    const single = costOf([`^${demands[0]}[a-e]*$`], 8, 1_000_000)!.work;
    expect(costOf([`^${demands.join('')}[a-e]*$`], 8, 1_000_000)!.work).toBeLessThan(single * 12);
  });

  it('tells what always holds from what never does', () => {
    const machine = createMachine([{ syntax: parseSyntax('^(?!\\s*$).+'), negated: false }], createWork(10_000));
    const read = (text: string) =>
      Array.from(text).reduce(
        (state, character) => machine.next(state, machine.classOf(character.codePointAt(0)!)),
        machine.start,
      );
    expect(['a', ' a', 'a b', '  '].map((text) => machine.accepts(read(text)))).toEqual([true, true, true, false]);
    const never = createMachine([{ syntax: parseSyntax('^a'), negated: false }], createWork(10_000));
    const dead = never.next(never.start, never.classOf(0x62));
    expect(dead.isDead && never.next(dead, never.classOf(0x61)).isDead).toBe(true);
  });
});
