import { tokenize } from './lexer.ts';
import type { Call, Expression, If, Name, Statement } from './nodes.ts';
import { parseExpression, parseFilterChain, parsePrimary, parseTuple } from './parse-expression.ts';
import { TokenStream } from './token-stream.ts';
import { startOfText } from './unicode.ts';

/** The statements of a template. Throws `TemplateSyntaxError`. */
export function parseTemplate(source: string): Statement[] {
  const stream = new TokenStream(tokenize(source));
  return parseBody(stream, null);
}

/** Statements up to a tag of `ends`, which is left as the current name; null: up to the end of the template. */
function parseBody(stream: TokenStream, ends: readonly string[] | null): Statement[] {
  const body: Statement[] = [];
  let output: (string | Expression)[] = [];
  const flush = () => {
    if (output.length > 0) body.push({ type: 'output', nodes: output });
    output = [];
  };
  for (;;) {
    const token = stream.next();
    switch (token.type) {
      case 'data':
        output.push(token.text);
        break;
      case 'begin-print':
        output.push(parseTuple(stream));
        stream.expect('end-print');
        break;
      case 'begin-block':
        flush();
        if (ends?.some((end) => stream.isName(end))) return body;
        body.push(stream.nested(() => parseStatement(stream, ends)));
        stream.expect('end-block');
        break;
      default:
        if (ends) throw stream.fail(`Unexpected end of template. Looking for ${ends.join(' or ')}.`);
        flush();
        return body;
    }
  }
}

/** The body of a block up to behind the name that ends it; that name. */
function parseBlockBody(stream: TokenStream, ...ends: string[]): { body: Statement[]; end: string } {
  stream.skipOperator(':');
  stream.expect('end-block');
  const body = parseBody(stream, ends);
  return { body, end: stream.next().text };
}

function parseStatement(stream: TokenStream, ends: readonly string[] | null): Statement {
  const tag = stream.expect('name');
  const parse = Object.hasOwn(statements, tag.text) ? statements[tag.text] : undefined;
  if (parse) return parse(stream);
  const looking = ends ? ` Looking for ${ends.join(' or ')}.` : '';
  throw stream.fail(`Encountered unknown tag '${tag.text}'.${looking}`, tag.line);
}

/** What can be assigned to: names, tuples of them, and with `withFields` the fields of a namespace. */
function parseTarget(stream: TokenStream, withFields = false, endsBefore: string | null = null): Expression {
  const target = parseTuple(stream, { parse: () => parsePrimary(stream, withFields), endsBefore });
  return toTarget(stream, target, 'store');
}

function toTarget(stream: TokenStream, target: Expression, use: 'store' | 'param'): Expression {
  switch (target.type) {
    case 'name':
      return { ...target, use };
    case 'attribute-target':
      return target;
    case 'tuple':
    case 'list':
      return { type: 'tuple', items: target.items.map((item) => toTarget(stream, item, use)) };
    default:
      throw stream.fail(`can't assign to '${target.type}'`);
  }
}

function parseName(stream: TokenStream, use: 'store' | 'param'): Name {
  const { text, line } = stream.expect('name');
  if (/^(?:[Tt]rue|[Ff]alse|[Nn]one)$/u.test(text)) throw stream.fail(`can't assign to '${text}'`, line);
  return { type: 'name', name: text, use };
}

function parseFor(stream: TokenStream): Statement {
  const target = parseTarget(stream, false, 'in');
  stream.expectName('in');
  const over = parseTuple(stream, { parse: () => parseExpression(stream, false), endsBefore: 'recursive' });
  const test = stream.skipName('if') ? parseExpression(stream) : null;
  const recursive = stream.skipName('recursive');
  const { body, end } = parseBlockBody(stream, 'endfor', 'else');
  const otherwise = end === 'else' ? parseBlockBody(stream, 'endfor').body : [];
  return { type: 'for', target, over, test, recursive, body, otherwise };
}

function parseIf(stream: TokenStream): If {
  const read = (): { node: If; end: string } => {
    const test = parseTuple(stream, { parse: () => parseExpression(stream, false) });
    const { body, end } = parseBlockBody(stream, 'elif', 'else', 'endif');
    return { node: { type: 'if', test, body, elifs: [], otherwise: [] }, end };
  };
  const first = read();
  let { end } = first;
  while (end === 'elif') {
    const elif = read();
    first.node.elifs.push(elif.node);
    end = elif.end;
  }
  if (end === 'else') first.node.otherwise = parseBlockBody(stream, 'endif').body;
  return first.node;
}

function parseSet(stream: TokenStream): Statement {
  const target = parseTarget(stream, true);
  if (stream.skipOperator('=')) return { type: 'set', target, value: parseTuple(stream) };
  const filter = parseFilterChain(stream, null);
  return { type: 'set-block', target, filter, body: parseBlockBody(stream, 'endset').body };
}

function parseSignature(stream: TokenStream): { params: Name[]; defaults: Expression[] } {
  const params: Name[] = [];
  const defaults: Expression[] = [];
  stream.expectOperator('(');
  while (!stream.isOperator(')')) {
    if (params.length > 0) stream.expectOperator(',');
    const param = parseName(stream, 'param');
    if (stream.skipOperator('=')) defaults.push(parseExpression(stream));
    else if (defaults.length > 0) throw stream.fail('non-default argument follows default argument');
    if (params.some(({ name }) => name === param.name)) throw stream.fail(`duplicate argument '${param.name}'`);
    params.push(param);
  }
  stream.expectOperator(')');
  return { params, defaults };
}

function parseCallBlock(stream: TokenStream): Statement {
  const signature = stream.isOperator('(') ? parseSignature(stream) : { params: [], defaults: [] };
  const call = parseExpression(stream);
  if (call.type !== 'call') throw stream.fail('expected call');
  return { type: 'call-block', call, ...signature, body: parseBlockBody(stream, 'endcall').body };
}

function parseWith(stream: TokenStream): Statement {
  const targets: Expression[] = [];
  const values: Expression[] = [];
  while (stream.current.type !== 'end-block') {
    if (targets.length > 0) stream.expectOperator(',');
    const target = parseTuple(stream, { parse: () => parsePrimary(stream) });
    targets.push(toTarget(stream, target, 'param'));
    stream.expectOperator('=');
    values.push(parseExpression(stream));
  }
  return { type: 'with', targets, values, body: parseBlockBody(stream, 'endwith').body };
}

function parseBlock(stream: TokenStream): Statement {
  const { text: name } = stream.expect('name');
  const scoped = stream.skipName('scoped');
  const required = stream.skipName('required');
  const { body } = parseBlockBody(stream, 'endblock');
  const isEmpty = (part: string | Expression) => typeof part === 'string' && startOfText(part) === part.length;
  if (required && !body.every((node) => node.type === 'output' && node.nodes.every(isEmpty))) {
    throw stream.fail('Required blocks can only contain comments or whitespace');
  }
  stream.skipName(name);
  return { type: 'block', name, scoped, required, body };
}

function skipContext(stream: TokenStream): boolean {
  const isContext = stream.following.type === 'name' && stream.following.text === 'context';
  if (!stream.isName('with', 'without') || !isContext) return false;
  stream.next();
  stream.next();
  return true;
}

function parseFrom(stream: TokenStream): Statement {
  const source = parseExpression(stream);
  stream.expectName('import');
  const targets: string[] = [];
  for (;;) {
    if (targets.length > 0) stream.expectOperator(',');
    if (skipContext(stream)) break;
    const { name } = parseName(stream, 'store');
    if (name.startsWith('_')) throw stream.fail('names starting with an underline can not be imported');
    targets.push(stream.skipName('as') ? parseName(stream, 'store').name : name);
    if (skipContext(stream) || !stream.isOperator(',')) break;
  }
  return { type: 'other-template', tag: 'from', source, targets };
}

/** The body of `{% generation %}` is called like a caller, so what it sets stays inside. */
const generation: Call = {
  type: 'call',
  node: { type: 'name', name: ' generation', use: 'load' },
  args: [],
  named: [],
  rest: null,
  restNamed: null,
};

const statements: Record<string, (stream: TokenStream) => Statement> = {
  for: parseFor,
  if: parseIf,
  set: parseSet,
  macro: (stream) => {
    const { name } = parseName(stream, 'store');
    return { type: 'macro', name, ...parseSignature(stream), body: parseBlockBody(stream, 'endmacro').body };
  },
  call: parseCallBlock,
  filter: (stream) => {
    const filter = parseFilterChain(stream, null, true)!;
    return { type: 'filter-block', filter, body: parseBlockBody(stream, 'endfilter').body };
  },
  with: parseWith,
  block: parseBlock,
  autoescape: (stream) => {
    const value = parseExpression(stream);
    return { type: 'autoescape', value, body: parseBlockBody(stream, 'endautoescape').body };
  },
  print: (stream) => {
    const nodes: Expression[] = [];
    while (stream.current.type !== 'end-block') {
      if (nodes.length > 0) stream.expectOperator(',');
      nodes.push(parseExpression(stream));
    }
    return { type: 'output', nodes };
  },
  generation: (stream) => {
    const { body } = parseBlockBody(stream, 'endgeneration');
    return { type: 'call-block', call: generation, params: [], defaults: [], body };
  },
  break: () => ({ type: 'break' }),
  continue: () => ({ type: 'continue' }),
  extends: (stream) => ({ type: 'other-template', tag: 'extends', source: parseExpression(stream), targets: [] }),
  include: (stream) => {
    const source = parseExpression(stream);
    if (stream.isName('ignore') && stream.following.text === 'missing') {
      stream.next();
      stream.next();
    }
    skipContext(stream);
    return { type: 'other-template', tag: 'include', source, targets: [] };
  },
  import: (stream) => {
    const source = parseExpression(stream);
    stream.expectName('as');
    const { name } = parseName(stream, 'store');
    skipContext(stream);
    return { type: 'other-template', tag: 'import', source, targets: [name] };
  },
  from: parseFrom,
};
