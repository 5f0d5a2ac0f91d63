/** From generated tokens to events. */

export { type AnswerCheck, type CheckedParts, createAnswerCheck, type Finding } from './answer-check.ts';
export { bindAnswer, bindToolCalls, eitherOf, formatGrammar, formatOrCalls } from './answer-grammar.ts';
export { createOutputParser } from './output-parser.ts';
export { createReasoningBudget } from './reasoning-budget.ts';
export { createTask, type Scoring, type Task } from './task.ts';
