import type { Arguments, BinaryOperator, CompareOperator, Expression, Filter } from './nodes.ts';
import { parseFloatText, parseWhole } from './numbers.ts';
import type { TokenStream } from './token-stream.ts';
import { Float } from './values.ts';

const isCompare = (text: string): text is CompareOperator => ['==', '!=', '<', '<=', '>', '>='].includes(text);
const isBinary = (text: string, of: readonly string[]): text is BinaryOperator => of.includes(text);

/** One expression, without a tuple's commas. */
export function parseExpression(stream: TokenStream, withCondition = true): Expression {
  return stream.nested(() => (withCondition ? parseConditional(stream) : parseOr(stream)));
}

function parseConditional(stream: TokenStream): Expression {
  let { line } = stream.current;
  let then = parseOr(stream);
  while (stream.skipName('if')) {
    const test = parseOr(stream);
    const otherwise = stream.skipName('else') ? stream.nested(() => parseConditional(stream)) : null;
    then = { type: 'conditional', test, then, otherwise, line };
    line = stream.current.line;
  }
  return then;
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.skipName('or')) left = { type: 'or', left, right: parseAnd(stream) };
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.skipName('and')) left = { type: 'and', left, right: parseNot(stream) };
  return left;
}

function parseNot(stream: TokenStream): Expression {
  if (!stream.skipName('not')) return parseCompare(stream);
  return { type: 'unary', operator: 'not', node: stream.nested(() => parseNot(stream)) };
}

function parseCompare(stream: TokenStream): Expression {
  const first = parseSum(stream);
  const rest: { operator: CompareOperator; node: Expression }[] = [];
  for (;;) {
    const { type, text } = stream.current;
    if (type === 'operator' && isCompare(text)) {
      stream.next();
      rest.push({ operator: text, node: parseSum(stream) });
    } else if (stream.skipName('in')) rest.push({ operator: 'in', node: parseSum(stream) });
    else if (stream.isName('not') && stream.following.type === 'name' && stream.following.text === 'in') {
      stream.next();
      stream.next();
      rest.push({ operator: 'not in', node: parseSum(stream) });
    } else break;
  }
  return rest.length === 0 ? first : { type: 'compare', first, rest };
}

function parseBinary(
  stream: TokenStream,
  operators: readonly string[],
  parseOperand: (stream: TokenStream) => Expression,
): Expression {
  let left = parseOperand(stream);
  for (;;) {
    const { type, text } = stream.current;
    if (type !== 'operator' || !isBinary(text, operators)) return left;
    stream.next();
    left = { type: 'binary', operator: text, left, right: parseOperand(stream) };
  }
}

const parseSum = (stream: TokenStream) => parseBinary(stream, ['+', '-'], parseConcat);
const parseProduct = (stream: TokenStream) => parseBinary(stream, ['*', '/', '//', '%'], parsePower);
const parsePower = (stream: TokenStream) => parseBinary(stream, ['**'], parseUnary);

function parseConcat(stream: TokenStream): Expression {
  const nodes = [parseProduct(stream)];
  while (stream.skipOperator('~')) nodes.push(parseProduct(stream));
  return nodes.length === 1 ? nodes[0]! : { type: 'concat', nodes };
}

function parseUnary(stream: TokenStream, withFilter = true): Expression {
  let node: Expression;
  if (stream.isOperator('-', '+')) {
    const operator = stream.next().text === '-' ? '-' : '+';
    node = { type: 'unary', operator, node: stream.nested(() => parseUnary(stream, false)) };
  } else node = parsePrimary(stream);
  node = parsePostfix(stream, node);
  return withFilter ? parseFilters(stream, node) : node;
}

/** A name, a literal, or something in brackets. `withTarget`: `a.b` is a field to be set. */
export function parsePrimary(stream: TokenStream, withTarget = false): Expression {
  const token = stream.current;
  switch (token.type) {
    case 'name':
      stream.next();
      if (/^[Tt]rue$|^[Ff]alse$/u.test(token.text))
        return { type: 'constant', value: token.text.toLowerCase() === 'true' };
      if (/^[Nn]one$/u.test(token.text)) return { type: 'constant', value: null };
      if (withTarget && stream.skipOperator('.')) {
        return { type: 'attribute-target', name: token.text, attribute: stream.expect('name').text };
      }
      return { type: 'name', name: token.text, use: 'load' };
    case 'string': {
      let text = '';
      while (stream.current.type === 'string') text += stream.next().text;
      return { type: 'constant', value: text };
    }
    case 'integer':
      stream.next();
      return { type: 'constant', value: parseWhole(token.text, 0) };
    case 'float':
      stream.next();
      return { type: 'constant', value: new Float(parseFloatText(token.text)) };
  }
  if (stream.skipOperator('(')) {
    const inside = parseTuple(stream, { isParenthesized: true });
    stream.expectOperator(')');
    return inside;
  }
  if (stream.skipOperator('[')) return { type: 'list', items: parseItems(stream, ']', () => parseExpression(stream)) };
  if (stream.skipOperator('{')) {
    const pairs = parseItems(stream, '}', (): [Expression, Expression] => {
      const key = parseExpression(stream);
      stream.expectOperator(':');
      return [key, parseExpression(stream)];
    });
    return { type: 'dict', pairs };
  }
  throw stream.unexpected('an expression');
}

/** Items up to a closing bracket; a comma may stand behind the last. */
function parseItems<T>(stream: TokenStream, close: string, parse: () => T): T[] {
  const items: T[] = [];
  while (!stream.isOperator(close)) {
    if (items.length > 0) stream.expectOperator(',');
    if (stream.isOperator(close)) break;
    items.push(parse());
  }
  stream.expectOperator(close);
  return items;
}

/** One expression, or several with commas as a tuple. */
export function parseTuple(
  stream: TokenStream,
  {
    parse = () => parseExpression(stream),
    endsBefore = null,
    isParenthesized = false,
  }: { parse?: () => Expression; endsBefore?: string | null; isParenthesized?: boolean } = {},
): Expression {
  const isEnd = () =>
    stream.current.type === 'end-print' ||
    stream.current.type === 'end-block' ||
    stream.isOperator(')') ||
    (endsBefore !== null && stream.isName(endsBefore));
  const items: Expression[] = [];
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expectOperator(',');
    if (isEnd()) break;
    items.push(parse());
    if (!stream.isOperator(',')) break;
    isTuple = true;
  }
  if (!isTuple) {
    if (items.length > 0) return items[0]!;
    if (!isParenthesized) throw stream.unexpected('an expression');
  }
  return { type: 'tuple', items };
}

function parsePostfix(stream: TokenStream, start: Expression): Expression {
  let node = start;
  for (;;) {
    if (stream.skipOperator('.')) {
      const token = stream.next();
      if (token.type === 'name') node = { type: 'attribute', node, name: token.text };
      else if (token.type === 'integer') {
        node = { type: 'item', node, key: { type: 'constant', value: parseWhole(token.text, 0) } };
      } else throw stream.fail('expected name or number', token.line);
    } else if (stream.skipOperator('[')) node = { type: 'item', node, key: parseKey(stream) };
    else if (stream.isOperator('(')) node = { type: 'call', node, ...parseArguments(stream) };
    else return node;
  }
}

/** What stands in square brackets, up to behind the closing one. */
function parseKey(stream: TokenStream): Expression {
  const items: Expression[] = [];
  while (!stream.isOperator(']')) {
    if (items.length > 0) stream.expectOperator(',');
    items.push(parseSubscript(stream));
  }
  stream.next();
  // Python itself has no slice within a tuple of such a call.
  if (items.length !== 1 && items.some((item) => item.type === 'slice')) throw stream.fail('invalid syntax');
  return items.length === 1 ? items[0]! : { type: 'tuple', items };
}

function parseSubscript(stream: TokenStream): Expression {
  const start = stream.isOperator(':') ? null : parseExpression(stream);
  if (!stream.skipOperator(':')) return start!;
  const part = () => (stream.isOperator(']', ',', ':') ? null : parseExpression(stream));
  const stop = part();
  const step = stream.skipOperator(':') ? part() : null;
  return { type: 'slice', start, stop, step };
}

/** Arguments with their parentheses. */
export function parseArguments(stream: TokenStream): Arguments {
  const { line } = stream.expectOperator('(');
  const found: Arguments = { args: [], named: [], rest: null, restNamed: null };
  const ensure = (isRight: boolean) => {
    if (!isRight) throw stream.fail('invalid syntax for function call expression', line);
  };
  let isFirst = true;
  while (!stream.isOperator(')')) {
    if (!isFirst) {
      stream.expectOperator(',');
      if (stream.isOperator(')')) break;
    }
    isFirst = false;
    if (stream.skipOperator('*')) {
      ensure(found.rest === null && found.restNamed === null);
      found.rest = parseExpression(stream);
    } else if (stream.skipOperator('**')) {
      ensure(found.restNamed === null);
      found.restNamed = parseExpression(stream);
    } else if (
      stream.current.type === 'name' &&
      stream.following.type === 'operator' &&
      stream.following.text === '='
    ) {
      ensure(found.restNamed === null);
      const { text } = stream.next();
      stream.next();
      ensure(found.named.every(([name]) => name !== text));
      found.named.push([text, parseExpression(stream)]);
    } else {
      ensure(found.rest === null && found.restNamed === null && found.named.length === 0);
      found.args.push(parseExpression(stream));
    }
  }
  stream.expectOperator(')');
  return found;
}

const noArguments = (): Arguments => ({ args: [], named: [], rest: null, restNamed: null });

function dottedName(stream: TokenStream): string {
  let name = stream.expect('name').text;
  while (stream.skipOperator('.')) name += `.${stream.expect('name').text}`;
  return name;
}

/** Filters, tests and calls behind an expression. */
function parseFilters(stream: TokenStream, start: Expression): Expression {
  let node = start;
  for (;;) {
    if (stream.isOperator('|')) node = parseFilterChain(stream, node) ?? node;
    else if (stream.isName('is')) node = parseTest(stream, node);
    else if (stream.isOperator('(')) node = { type: 'call', node, ...parseArguments(stream) };
    else return node;
  }
}

/** `| a | b(c)`; `isOpen`: the first without its bar, as in a filter block. */
export function parseFilterChain(stream: TokenStream, start: Expression | null, isOpen = false): Filter | null {
  let node: Filter | null = null;
  for (let first = isOpen; first || stream.isOperator('|'); first = false) {
    if (!first) stream.next();
    const name = dottedName(stream);
    const given = stream.isOperator('(') ? parseArguments(stream) : noArguments();
    node = { type: 'filter', node: node ?? start, name, ...given };
  }
  return node;
}

function parseTest(stream: TokenStream, node: Expression): Expression {
  stream.next();
  const isNegated = stream.skipName('not');
  const name = dottedName(stream);
  let given = noArguments();
  const { type } = stream.current;
  if (stream.isOperator('(')) given = parseArguments(stream);
  else if (
    (['name', 'string', 'integer', 'float'].includes(type) || stream.isOperator('[', '{')) &&
    !stream.isName('else', 'or', 'and')
  ) {
    if (stream.isName('is')) throw stream.fail('You cannot chain multiple tests with is');
    given.args.push(parsePostfix(stream, parsePrimary(stream)));
  }
  const test: Expression = { type: 'test', node, name, ...given };
  return isNegated ? { type: 'unary', operator: 'not', node: test } : test;
}
