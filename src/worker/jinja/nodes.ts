import type { Value } from './values.ts';

/** Arguments of a call, a filter or a test: `f(a, b, name=c, *rest, **named)`. */
export interface Arguments {
  args: Expression[];
  named: [string, Expression][];
  rest: Expression | null;
  restNamed: Expression | null;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';

export interface Name {
  type: 'name';
  name: string;
  use: 'load' | 'store' | 'param';
}
export interface Slice {
  type: 'slice';
  start: Expression | null;
  stop: Expression | null;
  step: Expression | null;
}
export interface Call extends Arguments {
  type: 'call';
  node: Expression;
}
export interface Filter extends Arguments {
  type: 'filter';
  /** Null: the text of the block that it stands on. */
  node: Expression | null;
  name: string;
}

export type Expression =
  | { type: 'constant'; value: Value }
  | Name
  | { type: 'attribute-target'; name: string; attribute: string }
  | { type: 'tuple' | 'list'; items: Expression[] }
  | { type: 'dict'; pairs: [Expression, Expression][] }
  | { type: 'conditional'; test: Expression; then: Expression; otherwise: Expression | null; line: number }
  | { type: 'and' | 'or'; left: Expression; right: Expression }
  | { type: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  | { type: 'unary'; operator: '+' | '-' | 'not'; node: Expression }
  | { type: 'compare'; first: Expression; rest: { operator: CompareOperator; node: Expression }[] }
  | { type: 'concat'; nodes: Expression[] }
  | { type: 'attribute'; node: Expression; name: string }
  | { type: 'item'; node: Expression; key: Expression }
  | Slice
  | Call
  | Filter
  | ({ type: 'test'; node: Expression; name: string } & Arguments);

export interface For {
  type: 'for';
  target: Expression;
  over: Expression;
  body: Statement[];
  otherwise: Statement[];
  test: Expression | null;
  recursive: boolean;
}
export interface If {
  type: 'if';
  test: Expression;
  body: Statement[];
  elifs: If[];
  otherwise: Statement[];
}
export interface Macro {
  type: 'macro';
  name: string;
  params: Name[];
  /** Of the last parameters. */
  defaults: Expression[];
  body: Statement[];
}
export interface CallBlock {
  type: 'call-block';
  call: Call;
  params: Name[];
  defaults: Expression[];
  body: Statement[];
}
export interface Block {
  type: 'block';
  name: string;
  /** Sees the variables around it. */
  scoped: boolean;
  required: boolean;
  body: Statement[];
}

export type Statement =
  | { type: 'output'; nodes: (string | Expression)[] }
  | { type: 'set'; target: Expression; value: Expression }
  | { type: 'set-block'; target: Expression; filter: Filter | null; body: Statement[] }
  | For
  | If
  | Macro
  | CallBlock
  | { type: 'filter-block'; filter: Filter; body: Statement[] }
  | { type: 'with'; targets: Expression[]; values: Expression[]; body: Statement[] }
  | { type: 'autoescape'; value: Expression; body: Statement[] }
  | Block
  /** Another template, which nobody has: it fails where it is reached. */
  | { type: 'other-template'; tag: string; source: Expression; targets: string[] }
  | { type: 'break' | 'continue' };

export type Node = Expression | Statement;

function argumentNodes(node: Arguments): Node[] {
  const { args, named, rest, restNamed } = node;
  return [...args, ...named.map(([, value]) => value), ...(rest ? [rest] : []), ...(restNamed ? [restNamed] : [])];
}

/** The expressions directly inside an expression. */
export const childExpressions = (node: Expression): Expression[] => childNodes(node).filter(isExpression);

const statementTypes: readonly string[] = [
  'output',
  'set',
  'set-block',
  'for',
  'if',
  'macro',
  'call-block',
  'filter-block',
  'with',
  'autoescape',
  'block',
  'other-template',
  'break',
  'continue',
];
const isExpression = (node: Node): node is Expression => !statementTypes.includes(node.type);

/** The nodes directly inside another, in the order in which Jinja2 visits them. */
export function childNodes(node: Node): Node[] {
  switch (node.type) {
    case 'tuple':
    case 'list':
      return node.items;
    case 'dict':
      return node.pairs.flat();
    case 'conditional':
      return [node.test, node.then, ...(node.otherwise ? [node.otherwise] : [])];
    case 'and':
    case 'or':
    case 'binary':
      return [node.left, node.right];
    case 'unary':
    case 'attribute':
      return [node.node];
    case 'compare':
      return [node.first, ...node.rest.map((part) => part.node)];
    case 'concat':
      return node.nodes;
    case 'item':
      return [node.node, node.key];
    case 'slice':
      return [node.start, node.stop, node.step].filter((part) => part !== null);
    case 'call':
    case 'test':
      return [node.node, ...argumentNodes(node)];
    case 'filter':
      return [...(node.node ? [node.node] : []), ...argumentNodes(node)];
    case 'output':
      return node.nodes.filter((part) => typeof part !== 'string');
    case 'set':
      return [node.target, node.value];
    case 'set-block':
      return [node.target, ...(node.filter ? [node.filter] : []), ...node.body];
    case 'for':
      return [node.target, node.over, ...node.body, ...node.otherwise, ...(node.test ? [node.test] : [])];
    case 'if':
      return [node.test, ...node.body, ...node.elifs, ...node.otherwise];
    case 'macro':
      return [...node.params, ...node.defaults, ...node.body];
    case 'call-block':
      return [node.call, ...node.params, ...node.defaults, ...node.body];
    case 'filter-block':
      return [...node.body, node.filter];
    case 'with':
      return [...node.targets, ...node.values, ...node.body];
    case 'autoescape':
      return [node.value, ...node.body];
    case 'block':
      return node.body;
    case 'other-template':
      return [node.source];
    default:
      return [];
  }
}
