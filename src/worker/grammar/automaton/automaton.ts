/** What several patterns, their opposites and a length allow together. */

export { emitTable } from './emit.ts';
export { createMachine, type Machine } from './machine.ts';
export type { Demand } from './program.ts';
export { type Table, tableOf } from './table.ts';
export { TooLargeError } from './too-large.ts';
export { createWork, type Work } from './work.ts';
