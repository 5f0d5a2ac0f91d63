import { describe, expect, it } from 'vitest';
import { createReasoningBudget } from '../../../src/worker/answer/reasoning-budget.ts';
import type { GrammarSource } from '../../../src/worker/sequence/sequence.ts';

const closing = { gbnf: 'root ::= "</think>"\n', id: -1 };

function budgetOf(tokens: number, closeTokens: number, grammar: GrammarSource | null = null) {
  const parser = { inReasoning: true };
  const budget = createReasoningBudget({ tokens, close: '</think>', closeTokens }, parser);
  return { parser, budget, bound: budget.bind(grammar) };
}

describe('a budget for reasoning', () => {
  it('closes the reasoning in time for the closing text, and binds nothing before and behind it', () => {
    const { parser, budget, bound } = budgetOf(5, 3);
    for (let spent = 0; spent < 3; spent++) {
      expect(bound.current()).toBeNull();
      budget.spend();
    }
    expect(bound.current()).toEqual(closing);
    budget.spend();
    expect(bound.current()).toEqual(closing);
    parser.inReasoning = false;
    expect(bound.current()).toBeNull();
  });

  it.each([1, 3])('of nothing closes it at once, with a closing text of %i tokens', (closeTokens) => {
    expect(budgetOf(0, closeTokens).bound.current()).toEqual(closing);
  });

  it('leaves the answer to its own grammar', () => {
    const own = { gbnf: 'root ::= "a"\n', id: 0 };
    const { parser, bound } = budgetOf(0, 1, { current: () => own });
    parser.inReasoning = false;
    expect(bound.current()).toEqual(own);
  });
});
