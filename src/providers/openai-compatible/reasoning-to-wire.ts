import type { ReasoningWish } from '../../core/chat.ts';
import type { Notes } from './notes.ts';
import type { Effort, ReasoningOff, ServiceRow } from './presets.ts';
import type { Json } from './wire.ts';

const allEfforts: readonly Effort[] = ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** A wish for thinking as fields of a chat body. What of it has no field is named. */
export function reasoningToWire(wish: ReasoningWish, row: ServiceRow, notes: Notes): Json {
  const { reasoning: ask } = row;
  const budget = wish.mode === 'on' ? wish.budgetTokens : undefined;
  if (budget !== undefined && ask.by !== 'google' && ask.by !== 'enable-thinking') {
    notes.leftOut('reasoning.budgetTokens', 'takes no number of tokens for thinking.');
  }
  if (ask.by === 'nothing' || ask.by === 'enable-thinking') {
    if (wish.mode === 'on' && wish.effort) notes.leftOut('reasoning.effort', 'has no levels of thinking here.');
  }
  switch (ask.by) {
    case 'nothing':
      if (row.reasonsByItself !== (wish.mode === 'on')) {
        notes.leftOut('reasoning.mode', 'has no switch for thinking here.');
      }
      return {};
    case 'enable-thinking':
      if (wish.mode === 'off') return { enable_thinking: false };
      return { enable_thinking: true, ...(budget !== undefined && { thinking_budget: budget }) };
    case 'thinking-object':
      if (wish.mode === 'off') return { thinking: { type: 'disabled' } };
      return { thinking: { type: 'enabled' }, ...effortField(wish.effort ?? effortOf(budget), ask.efforts, notes) };
    case 'template':
      if (wish.mode === 'off') return { chat_template_kwargs: { enable_thinking: false } };
      return {
        chat_template_kwargs: { enable_thinking: true },
        ...effortField(wish.effort ?? effortOf(budget), ask.efforts, notes),
      };
    case 'google':
      if (wish.mode === 'on' && budget !== undefined) {
        if (wish.effort) notes.leftOut('reasoning.effort', 'takes either a level of thinking or a number of tokens.');
        return { extra_body: { google: { thinking_config: { thinking_budget: budget, include_thoughts: true } } } };
      }
      return byEffort(wish, ask.efforts, ask.off, notes);
    default:
      return byEffort(wish, ask.efforts, ask.off, notes);
  }
}

function byEffort(wish: ReasoningWish, efforts: readonly Effort[], off: ReasoningOff, notes: Notes): Json {
  if (wish.mode === 'on') {
    return effortField(wish.effort ?? effortOf(wish.budgetTokens) ?? 'medium', efforts, notes);
  }
  if (off === 'none') return { reasoning_effort: off };
  notes.leftOut('reasoning.mode', 'cannot leave thinking out with this model, or it is not known how.');
  return off === 'least' ? { reasoning_effort: efforts[0] } : {};
}

function effortField(effort: Effort | undefined, efforts: readonly Effort[], notes: Notes): Json {
  if (effort === undefined) return {};
  const nearest = nearestOf(effort, efforts);
  if (nearest !== effort)
    notes.leftOut('reasoning.effort', `has no level "${effort}" here and thinks at "${nearest}".`);
  return { reasoning_effort: nearest };
}

/** The level that is nearest, of two the higher. */
function nearestOf(effort: Effort, efforts: readonly Effort[]): Effort {
  const wanted = allEfforts.indexOf(effort);
  const distance = (one: Effort) => Math.abs(allEfforts.indexOf(one) - wanted);
  return efforts.reduce((best, one) => (distance(one) <= distance(best) ? one : best));
}

/** About as much thinking as a budget in tokens allows. */
function effortOf(budgetTokens: number | undefined): Effort | undefined {
  if (budgetTokens === undefined) return undefined;
  if (budgetTokens <= 2_048) return 'low';
  return budgetTokens <= 8_192 ? 'medium' : 'high';
}
