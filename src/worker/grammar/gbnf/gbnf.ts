/** GBNF under construction, and what it may cost. */
export type { Member } from './ambiguity.ts';
export {
  type CharSet,
  charSet,
  classEscapes,
  complement,
  dot,
  everything,
  includes,
  narrowed,
  without,
} from './charset.ts';
export { limits } from './limits.ts';
export { createRefuse, type Refuse, step } from './refuse.ts';
export { createRuleBook, type RuleBook } from './rules.ts';
export { type Atom, charClass, literal } from './text.ts';
