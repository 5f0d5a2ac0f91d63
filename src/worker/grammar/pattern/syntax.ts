import type { CharSet } from '../gbnf/gbnf.ts';

/** A regular expression as it is written, look-around and anchors included; no references to groups. */
export type Syntax =
  | { type: 'set'; set: CharSet }
  | { type: 'sequence'; items: readonly Syntax[] }
  | { type: 'choice'; items: readonly Syntax[] }
  | { type: 'repeat'; item: Syntax; min: number; max: number | null }
  | { type: 'look'; direction: 'ahead' | 'behind'; negated: boolean; item: Syntax }
  | { type: 'start' }
  | { type: 'end' }
  | { type: 'boundary'; negated: boolean };

/** How many characters a pattern unfolds to; bounds the work of all that reads it. */
export function sizeOf(syntax: Syntax): number {
  switch (syntax.type) {
    case 'set':
      return 1;
    case 'sequence':
    case 'choice':
      return syntax.items.reduce((sum, item) => sum + sizeOf(item), 0);
    case 'repeat':
      return sizeOf(syntax.item) * Math.max(1, syntax.max ?? syntax.min + 1);
    case 'look':
      return sizeOf(syntax.item);
    case 'boundary':
      return 2;
    default:
      return 0;
  }
}
