/** From generated tokens to events. */
export { bindAnswer, bindToolCalls, formatGrammar } from './answer-grammar.ts';
export { createOutputParser } from './output-parser.ts';
export { createTask, type Task } from './task.ts';
