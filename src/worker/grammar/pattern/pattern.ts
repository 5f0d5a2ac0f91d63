/** The shape of strings. */
export { type Pattern, withLength } from './ast.ts';
export { emitPattern } from './emit.ts';
export { PatternError, parsePattern } from './parse.ts';
