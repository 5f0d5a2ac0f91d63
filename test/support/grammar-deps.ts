import type { GrammarDeps } from '../../src/worker/families/families.ts';

/** Grammars of calls without a time budget. `open`: takes the names of tools whose calls have to be checked. */
export function grammarDeps(open: string[] = []): GrammarDeps {
  return { nowMs: () => 0, leaveOpen: ({ name }) => void open.push(name), mostUnique: null };
}
