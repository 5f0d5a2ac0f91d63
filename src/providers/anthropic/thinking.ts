import type { Anthropic } from '@anthropic-ai/sdk';
import type { ReasoningWish } from '../../core/chat.ts';
import type { Effort, ModelRow } from './model-table.ts';

type EffortWish = NonNullable<Extract<ReasoningWish, { mode: 'on' }>['effort']>;

/** Budgets of models that think by budget, by the effort that was asked for, in tokens. */
const budgets: Readonly<Record<EffortWish, number>> = {
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 24_576,
  max: 32_000,
};
/** The API takes no smaller one. */
const leastBudget = 1_024;

const order: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];

/** How a model is told to think. Empty: as it does by itself. */
export interface WireThinking {
  thinking?: Anthropic.ThinkingConfigParam;
  effort?: Effort;
}

/**
 * A wish in the words that the model takes: a budget goes to models of budgets only, since one that thinks adaptively refuses
 * it, or hangs. `maxTokens`: what the answer may have in all, thoughts included.
 */
export function toThinking(
  wish: ReasoningWish | undefined,
  row: ModelRow,
  maxTokens: number,
  warn: (field: string, message: string) => void,
): WireThinking {
  if (wish === undefined) return {};
  if (wish.mode === 'off') return thinkingOff(row, warn);
  const effort = effortOf(wish.effort, row, warn);
  if (!row.thinking.includes('adaptive')) {
    const budget = budgetOf(wish, maxTokens, warn);
    return {
      ...(budget !== null && { thinking: { type: 'enabled', budget_tokens: budget } }),
      ...(effort !== null && { effort }),
    };
  }
  if (wish.budgetTokens !== undefined) {
    warn('reasoning.budgetTokens', `${row.displayName} has no budget of thinking; it decides itself, by the effort.`);
  }
  // Newer models leave the text of their thoughts out by themselves; whoever asks for thoughts wants to see them.
  return { thinking: { type: 'adaptive', display: 'summarized' }, ...(effort !== null && { effort }) };
}

function thinkingOff(row: ModelRow, warn: (field: string, message: string) => void): WireThinking {
  if (row.thinking.includes('disabled')) return { thinking: { type: 'disabled' } };
  if (row.thinking.includes('between_tools')) return { thinking: { type: 'between_tools' } };
  const least = row.efforts[0];
  warn(
    'reasoning',
    `${row.displayName} always thinks${least === undefined ? '' : '; it is asked to do so as little as it can'}.`,
  );
  return least === undefined ? {} : { effort: least };
}

/** The level that the model has, at most the one that was asked for. */
function effortOf(
  wish: EffortWish | undefined,
  row: ModelRow,
  warn: (field: string, message: string) => void,
): Effort | null {
  if (wish === undefined) return null;
  if (row.efforts.length === 0) {
    // Where it thinks by budget the effort has become one.
    if (row.thinking.includes('adaptive')) warn('reasoning.effort', `${row.displayName} has no levels of effort.`);
    return null;
  }
  const wanted = wish === 'minimal' ? 'low' : wish;
  const level = row.efforts.filter((one) => order.indexOf(one) <= order.indexOf(wanted)).at(-1)!;
  if (level !== wish)
    warn('reasoning.effort', `${row.displayName} has no effort "${wish}"; it is asked for "${level}".`);
  return level;
}

/** A budget that leaves room for an answer; null: there is no room for thinking. */
function budgetOf(
  { budgetTokens, effort }: Extract<ReasoningWish, { mode: 'on' }>,
  maxTokens: number,
  warn: (field: string, message: string) => void,
): number | null {
  if (maxTokens <= leastBudget) {
    warn(
      'reasoning',
      `The model does not think: it needs ${leastBudget} tokens for that, and "maxTokens" is ${maxTokens}.`,
    );
    return null;
  }
  if (budgetTokens === undefined) {
    return Math.max(leastBudget, Math.min(budgets[effort ?? 'medium'], Math.floor(maxTokens / 2)));
  }
  const budget = Math.min(Math.max(leastBudget, budgetTokens), maxTokens - 1);
  if (budget !== budgetTokens) {
    warn(
      'reasoning.budgetTokens',
      `The model thinks up to ${budget} tokens: at least ${leastBudget}, and fewer than "maxTokens".`,
    );
  }
  return budget;
}
