/** The shape of strings. */
export { type Pattern, withLength } from './ast.ts';
export { emitPattern } from './emit.ts';
export { parsePattern } from './parse.ts';
export { PatternError } from './pattern-error.ts';
