/** From generated tokens to events. */
export { bindAnswer, bindToolCalls, formatGrammar } from './answer-grammar.ts';
export { createJob, type Job } from './job.ts';
export { createOutputParser } from './output-parser.ts';
