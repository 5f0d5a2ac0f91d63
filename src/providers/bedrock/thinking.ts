import type { ReasoningWish } from '../../core/chat.ts';
import type { CapabilityRow } from './capability-table.ts';

/** How a wish to think is told to a model. */
export interface ThinkingFields {
  /** Among the model's own fields. */
  fields: Record<string, unknown>;
  /** For `outputConfig.effort`; null: none. */
  effort: string | null;
  /** Whether it will think, as far as was asked for. */
  isOn: boolean;
  /** Whether bounds and sampling would be refused beside it, as Nova does at its highest effort. */
  isUnbounded: boolean;
}

/** Least budget that Claude takes. */
const leastBudget = 1024;

/** The part of an answer's bound that each effort may think, for models that know budgets only. */
const shareOf = { minimal: 0, low: 0.2, medium: 0.5, high: 0.8, xhigh: 0.9, max: 0.95 };

/**
 * A wish to think in the model's own words. `maxTokens`: bound of the whole answer, thinking included. A budget is never
 * sent to a model that thinks adaptively only, which would hang or refuse.
 */
export function thinkingFields(
  wish: ReasoningWish | undefined,
  row: CapabilityRow,
  maxTokens: number,
  warn: (field: string, message: string) => void,
): ThinkingFields {
  const none: ThinkingFields = { fields: {}, effort: null, isOn: false, isUnbounded: false };
  if (wish === undefined) return none;
  if (wish.mode === 'off') return off(row, none, warn);
  const { budgetTokens, effort } = wish;
  switch (row.thinking) {
    case 'none':
      warn('reasoning', 'This model does not think before it speaks.');
      return none;
    case 'always':
      if (budgetTokens !== undefined || effort !== undefined)
        warn('reasoning', 'This model thinks as much as it likes.');
      return { ...none, isOn: true };
    case 'budget':
      return budgeted(budgetTokens ?? Math.floor(maxTokens * shareOf[effort ?? 'medium']), maxTokens, none, warn);
    case 'budget-or-adaptive':
      if (budgetTokens !== undefined) return budgeted(budgetTokens, maxTokens, none, warn);
      return adaptive(effort);
    case 'adaptive':
      if (budgetTokens !== undefined)
        warn('reasoning.budgetTokens', 'This model decides for itself how long it thinks.');
      return adaptive(effort);
    default:
      if (budgetTokens !== undefined) warn('reasoning.budgetTokens', 'This model takes an effort, not a budget.');
      return {
        fields: effortField(row.thinking, effort ?? 'medium'),
        effort: null,
        isOn: true,
        isUnbounded: row.thinking === 'nova' && plainEffort(effort ?? 'medium') === 'high',
      };
  }
}

/** Nothing is said where a model thinks only when it is asked to. */
function off(row: CapabilityRow, none: ThinkingFields, warn: (field: string, message: string) => void): ThinkingFields {
  if (row.thinkingOff === 'absent') return none;
  if (row.thinkingOff === 'disabled') {
    const fields = row.thinking === 'adaptive' ? { thinking: { type: 'disabled' } } : { reasoning: { effort: 'none' } };
    return { ...none, fields };
  }
  warn('reasoning', 'This model always thinks.');
  return { ...none, fields: row.thinking === 'effort' ? { reasoning_effort: 'low' } : {}, isOn: true };
}

function budgeted(
  wanted: number,
  maxTokens: number,
  none: ThinkingFields,
  warn: (field: string, message: string) => void,
): ThinkingFields {
  const budget = Math.min(Math.max(wanted, leastBudget), maxTokens - 1);
  if (budget < leastBudget) {
    warn('reasoning', `Claude thinks ${leastBudget} tokens or more, and the answer may have ${maxTokens} in all.`);
    return none;
  }
  if (budget !== wanted) warn('reasoning.budgetTokens', `The budget is ${budget} tokens.`);
  return { ...none, fields: { thinking: { type: 'enabled', budget_tokens: budget } }, isOn: true };
}

function adaptive(effort: Exclude<ReasoningWish, { mode: 'off' }>['effort']): ThinkingFields {
  const named = effort === 'minimal' ? 'low' : (effort ?? null);
  return { fields: { thinking: { type: 'adaptive' } }, effort: named, isOn: true, isUnbounded: false };
}

/** Efforts that the kinds know; a higher one is their highest. */
function effortField(kind: CapabilityRow['thinking'], effort: string): Record<string, unknown> {
  const plain = plainEffort(effort);
  if (kind === 'nova') return { reasoningConfig: { type: 'enabled', maxReasoningEffort: plain } };
  if (kind === 'effort-object') return { reasoning: { effort: effort === 'minimal' ? 'low' : effort } };
  return { reasoning_effort: plain };
}

function plainEffort(effort: string): string {
  if (effort === 'minimal') return 'low';
  return effort === 'xhigh' || effort === 'max' ? 'high' : effort;
}
