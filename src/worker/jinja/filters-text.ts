import { isCollection } from './compare.ts';
import { JinjaError, typeError, valueError } from './errors.ts';
import { define, type Filter } from './filters-define.ts';
import { length } from './filters-value.ts';
import { formatPercent } from './format-percent.ts';
import { escapeHtml, stripTags } from './html.ts';
import { indexOf, wholeOf } from './numbers.ts';
import { binary } from './operators.ts';
import { repr, str } from './print.ts';
import { sliceText } from './slices.ts';
import { capitalize, splitLines, strip } from './text.ts';
import { center, replaced } from './text-methods.ts';
import { lengthOf, whitespace } from './unicode.ts';
import { Dict, iterate, Markup, type Runtime, SliceValue, Tuple, textOfValue, typeName, type Value } from './values.ts';
import { wrapText } from './wrap.ts';

/** A filter that changes a text; anything else is printed first. HTML stays HTML. */
const change = (name: string, run: (text: string) => string): Filter =>
  define(name, [], (value, _args, runtime) => {
    const text = str(value, runtime);
    runtime.budget.scan(text.length);
    const changed = runtime.rejoined(run(text), text);
    return value instanceof Markup ? new Markup(changed) : changed;
  });

/** The text of what has to be one. Throws `TypeError`. */
function textOnly(value: Value, filter: string): string {
  const text = textOfValue(value);
  if (text === undefined) throw typeError(`${filter} needs a text, not ${typeName(value)}`);
  return text;
}

const wordStart = new RegExp(`([-({[<]|${whitespace})+`, 'u');

/** Jinja2's `title`: every word with a large letter, all others small. */
function title(text: string): string {
  let result = '';
  for (let rest = text; rest !== ''; ) {
    const match = wordStart.exec(rest);
    const word = match ? rest.slice(0, match.index) : rest;
    const [first = ''] = word;
    result += first.toUpperCase() + word.slice(first.length).toLowerCase() + (match?.[0] ?? '');
    rest = match ? rest.slice(match.index + match[0].length) : '';
  }
  return result;
}

function indent(value: Value, [width, first, blank]: Value[], runtime: Runtime): Value {
  const by = textOfValue(width!) ?? ' '.repeat(Math.min(1_000_000, Math.max(0, indexOf(width!))));
  const ended = binary('+', value, '\n', runtime);
  const lines = splitLines(textOnly(ended, 'indent'));
  runtime.budget.text(lines.length * by.length + lines.reduce((sum, line) => sum + line.length + 1, 0));
  const all = isSet(blank!);
  const text = lines.map((line, index) => (index > 0 && (all || line !== '') ? by + line : line)).join('\n');
  const result = isSet(first!) ? by + text : text;
  return value instanceof Markup ? new Markup(result) : result;
}
const isSet = (value: Value) =>
  value === true || (wholeOf(value) ?? 0) !== 0 || (typeof value === 'string' && value !== '');

function truncate(value: Value, [limitTo, killWords, end, leeway]: Value[]): Value {
  const limit = indexOf(limitTo!);
  const ending = textOnly(end!, 'truncate');
  const slack = leeway === null ? 5 : indexOf(leeway!);
  if (limit < lengthOf(ending))
    throw new JinjaError('FilterArgumentError', `expected length >= ${lengthOf(ending)}, got ${limit}`);
  if (slack < 0) throw new JinjaError('FilterArgumentError', `expected leeway >= 0, got ${slack}`);
  if (length(value) <= limit + slack) return value;
  const text = textOnly(value, 'truncate');
  const cut = sliceText(text, new SliceValue(null, limit - lengthOf(ending), null));
  if (isSet(killWords!)) return cut + ending;
  const space = cut.lastIndexOf(' ');
  return (space < 0 ? cut : cut.slice(0, space)) + ending;
}

function quoteUrl(value: Value, runtime: Runtime, forQuery: boolean): string {
  const quoted = Array.from(new TextEncoder().encode(str(value, runtime)), (byte) => {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9_.~-]/u.test(character) || (!forQuery && character === '/')) return character;
    return forQuery && character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return quoted.join('');
}

function pairOf(value: Value): readonly [Value, Value] {
  const [key, item, ...others] = iterate(value);
  if (key === undefined || item === undefined || others.length > 0) throw valueError('expected pairs of key and value');
  return [key, item];
}

function encodeUrl(value: Value, runtime: Runtime): string {
  if (textOfValue(value) !== undefined || !isCollection(value)) return quoteUrl(value, runtime, false);
  const pairs = value instanceof Dict ? value.entries() : Array.from(iterate(value), pairOf);
  return Array.from(pairs, ([key, item]) => `${quoteUrl(key, runtime, true)}=${quoteUrl(item, runtime, true)}`).join(
    '&',
  );
}

function xmlAttributes(value: Value, autospace: Value, runtime: Runtime): Value {
  if (!(value instanceof Dict)) throw typeError('xmlattr needs a mapping');
  const parts: string[] = [];
  for (const [key, item] of value.entries()) {
    if (item === null || (typeof item === 'object' && !Array.isArray(item) && item.typeName === 'Undefined')) continue;
    const name = textOnly(key, 'xmlattr');
    if (/[\s/>=]/u.test(name)) throw new JinjaError('FilterArgumentError', 'Invalid character in attribute name');
    const text = item instanceof Markup ? item.text : escapeHtml(str(item, runtime));
    parts.push(`${escapeHtml(name)}="${text}"`);
  }
  const text = parts.join(' ');
  const result = isSet(autospace) && text !== '' ? ` ${text}` : text;
  return runtime.autoescape ? new Markup(result) : result;
}

export const textFilters: Record<string, Filter> = {
  upper: change('upper', (text) => text.toUpperCase()),
  lower: change('lower', (text) => text.toLowerCase()),
  capitalize: change('capitalize', capitalize),
  title: change('title', title),
  string: define('string', [], (value, _args, runtime) => (value instanceof Markup ? value : str(value, runtime))),
  trim: define('trim', [['chars', null]], (value, [chars], runtime) => {
    const text = str(value, runtime);
    runtime.budget.scan(text.length);
    const result = strip(text, chars === null ? null : textOnly(chars!, 'trim'), 'both');
    return value instanceof Markup ? new Markup(result) : result;
  }),
  replace: define('replace', ['old', 'new', ['count', null]], (value, [old, by, count], runtime) => {
    const times = count === null ? -1 : indexOf(count!);
    return replaced(str(value, runtime), str(old!, runtime), str(by!, runtime), times, runtime);
  }),
  center: define('center', [['width', 80]], (value, [width], runtime) => center(str(value, runtime), indexOf(width!))),
  indent: define(
    'indent',
    [
      ['width', 4],
      ['first', false],
      ['blank', false],
    ],
    indent,
  ),
  truncate: define(
    'truncate',
    [
      ['length', 255],
      ['killwords', false],
      ['end', '...'],
      ['leeway', null],
    ],
    truncate,
  ),
  wordcount: define('wordcount', [], (value, _args, runtime) => {
    const text = str(value, runtime);
    runtime.budget.scan(text.length);
    return text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0;
  }),
  wordwrap: define(
    'wordwrap',
    [
      ['width', 79],
      ['break_long_words', true],
      ['wrapstring', null],
      ['break_on_hyphens', true],
    ],
    (value, [width, breakLong, wrapString, onHyphens], runtime) => {
      const text = textOnly(value, 'wordwrap');
      runtime.budget.scan(text.length * 4);
      const by = wrapString === null ? '\n' : textOnly(wrapString!, 'wordwrap');
      const style = { width: indexOf(width!), breakLong: isSet(breakLong!), onHyphens: isSet(onHyphens!) };
      return splitLines(text)
        .map((line) => wrapText(line, style).join(by))
        .join(by);
    },
  ),
  format: (value, args, named, runtime) => {
    const text = str(value, runtime);
    if (args.length > 0 && named.size > 0) {
      throw new JinjaError('FilterArgumentError', "can't handle positional and keyword arguments at the same time");
    }
    return formatPercent(text, named.size > 0 ? Dict.of(named) : new Tuple(args), runtime, value instanceof Markup);
  },
  escape: define('escape', [], (value, _args, runtime) =>
    value instanceof Markup ? value : new Markup(escapeHtml(str(value, runtime))),
  ),
  forceescape: define('forceescape', [], (value, _args, runtime) => new Markup(escapeHtml(str(value, runtime)))),
  safe: define('safe', [], (value, _args, runtime) => new Markup(str(value, runtime))),
  striptags: define('striptags', [], (value, _args, runtime) => stripTags(str(value, runtime))),
  urlencode: define('urlencode', [], (value, _args, runtime) => encodeUrl(value, runtime)),
  xmlattr: define('xmlattr', [['autospace', true]], (value, [autospace], runtime) =>
    xmlAttributes(value, autospace!, runtime),
  ),
  pprint: define('pprint', [], (value, _args, runtime) => repr(value, runtime)),
  // Links in HTML are nothing that a prompt has.
  urlize: define(
    'urlize',
    [
      ['trim_url_limit', null],
      ['nofollow', false],
      ['target', null],
      ['rel', null],
      ['extra_schemes', null],
    ],
    (value, _args, runtime) => str(value, runtime),
  ),
};
textFilters['e'] = textFilters['escape']!;
