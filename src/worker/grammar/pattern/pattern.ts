/** The shape of strings. */
export { lengthOf, type Pattern, shortened, withLength } from './ast.ts';
export { emitPattern, emitSet, writable } from './emit.ts';
export { parseSyntax } from './parse.ts';
export { PatternError } from './pattern-error.ts';
export { plainPattern } from './plain.ts';
export type { Syntax } from './syntax.ts';
