import { AppError } from '../../../../core/errors.ts';
import { commonTerminals } from './common.ts';
import { isTerminal, LarkError, type LarkGrammar, type LarkPart, readLark } from './read.ts';

/** The longest expression that a grammar may become: every name is written out where it stands. */
const mostCharacters = 32 * 1024;

/**
 * A grammar in Lark's notation as the regular expression of the same texts, from its rule `start`. `field`: where it
 * stands. Throws `invalid_request` that names what cannot be translated: a rule that refers to itself, templates, other
 * libraries than `common`, flags and anchors of regular expressions.
 */
export function larkToPattern(definition: string, field: string): string {
  try {
    return translate(readLark(definition));
  } catch (error) {
    if (!(error instanceof LarkError)) throw error;
    throw new AppError('invalid_request', `The grammar at "${field}" ${error.message}.`, {
      field,
      fix: 'Write it without, as a regular expression, or leave the format out.',
    });
  }
}

function translate({ rules, imports, ignored }: LarkGrammar): string {
  const done = new Map<string, string>();
  const within: string[] = [];
  let written = 0;

  const define = (name: string): string => {
    const known = done.get(name);
    if (known !== undefined) return known;
    const part = rules.get(name);
    if (part) {
      if (within.includes(name)) throw new LarkError(`has the rule "${name}", which refers to itself`);
      within.push(name);
      const source = write(part, isTerminal(name));
      within.pop();
      done.set(name, source);
      return source;
    }
    const imported = imports.get(name);
    const common = imported === undefined ? undefined : commonTerminals[imported];
    if (common !== undefined) return `(?:${common})`;
    if (imported !== undefined) throw new LarkError(`imports "common.${imported}", which is not known`);
    throw new LarkError(`uses "${name}", which it does not define`);
  };
  /** `inToken`: nothing ignored may stand between the parts of a terminal. */
  const write = (part: LarkPart, inToken: boolean): string => {
    const source = sourceOf(part, inToken);
    written += source.length;
    if (source.length > mostCharacters || written > 16 * mostCharacters)
      throw new LarkError('is too large when its names are written out');
    return source;
  };
  const token = (source: string, inToken: boolean) => (inToken ? source : source + skipped);
  const sourceOf = (part: LarkPart, inToken: boolean): string => {
    switch (part.type) {
      case 'text':
        return token(part.ignoresCase ? anyCase(part.text) : literal(part.text), inToken);
      case 'pattern':
        return token(`(?:${part.source})`, inToken);
      case 'range':
        return token(`[${inClass(part.from)}-${inClass(part.to)}]`, inToken);
      case 'name':
        return token(define(part.name), inToken || !isTerminal(part.name));
      case 'sequence':
        return part.items.map((item) => write(item, inToken)).join('');
      case 'choice':
        return `(?:${part.items.map((item) => write(item, inToken)).join('|')})`;
      case 'repeat': {
        const { least, most } = part;
        const count =
          most === null ? (least === 0 ? '*' : '+') : least === 0 && most === 1 ? '?' : `{${least},${most}}`;
        return `(?:${write(part.item, inToken)})${count}`;
      }
    }
  };
  // Before anything is written: what is ignored holds for all of it.
  let skipped = '';
  if (ignored.length > 0) skipped = `(?:${ignored.map((part) => write(part, true)).join('|')})*`;
  done.clear();
  if (!rules.has('start')) throw new LarkError('has no rule "start"');
  return skipped + define('start');
}

const literal = (text: string) =>
  text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replace(/[\n\t\r\f]/g, (found) => controls[found]!);
const controls: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\f': '\\f' };
const inClass = (character: string) => (/[\]\\^-]/.test(character) ? `\\${character}` : literal(character));
const anyCase = (text: string) =>
  [...text]
    .map((character) => {
      const cases = [...new Set([character.toLowerCase(), character.toUpperCase()])].filter(
        (one) => [...one].length === 1,
      );
      return cases.length < 2 ? literal(character) : `[${cases.map(inClass).join('')}]`;
    })
    .join('');
