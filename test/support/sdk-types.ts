import { readFileSync } from 'node:fs';

/** Types of requests, by name with their namespaces (`FileSearchTool.RankingOptions`), each with its keys in order. */
export type RequestTypes = Record<string, string[]>;

/** A type of a type file: what it holds by key, the types that it takes over, and what an alias stands for. */
interface Declared {
  scope: string;
  members: Map<string, string>;
  parents: string[];
  alias: string;
}

/**
 * Every interface that a request of a client's library can hold, from the types named in `roots` on, however deep, so that a
 * key that a newer version brings fails a test by its name. Types of answers only, and of what is no interface, are not
 * there; an object that is written out inside of another one is called after its place (`ToolCall.function`).
 * Reads the language of type files as far as these libraries use it.
 */
export function requestTypes(typeFiles: readonly string[], roots: readonly string[]): RequestTypes {
  const declared = new Map<string, Declared>();
  for (const file of typeFiles) readBlock(withoutComments(readFileSync(file, 'utf8')), '', declared);
  const found: RequestTypes = {};
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const type = declared.get(name)!;
    const texts = [...type.parents, type.alias, ...membersOf(name, declared).values()];
    if (type.alias === '') found[name] = [...membersOf(name, declared).keys()].sort();
    for (const inner of texts.flatMap((text) => namesIn(text))) {
      const target = resolve(inner, type.alias === '' ? name : type.scope, declared);
      if (target !== null && !type.parents.includes(inner)) visit(target);
    }
  };
  for (const root of roots) {
    if (!declared.has(root)) throw new Error(`the type files have no ${root}`);
    visit(root);
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Its own members and those of the types that it extends. */
function membersOf(name: string, declared: ReadonlyMap<string, Declared>): Map<string, string> {
  const { members, parents, scope } = declared.get(name)!;
  const inherited = parents.flatMap((parent) => {
    const target = resolve(parent, scope, declared);
    return target === null ? [] : [...membersOf(target, declared)];
  });
  return new Map([...inherited, ...members]);
}

function readBlock(text: string, scope: string, declared: Map<string, Declared>): void {
  const head =
    /(?:^|\n)\s*(?:export )?(?:declare )?(?:(interface|namespace) (\w+)(?:<[^>{]*>)?(?: extends ([\w., <>]+?))? \{|type (\w+)(?:<[^=]*>)? = )/g;
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const [, kind, block, parents, alias] = match;
    const end = endOf(text, head.lastIndex, kind === undefined ? ';' : '}');
    const body = text.slice(head.lastIndex, end);
    head.lastIndex = end;
    const name = qualified(scope, block ?? alias!);
    if (kind === 'namespace') readBlock(body, name, declared);
    else if (kind === 'interface') declare(name, scope, body, parents?.split(', ') ?? [], declared);
    else declared.set(name, { scope, members: new Map(), parents: [], alias: body });
  }
}

function declare(name: string, scope: string, body: string, parents: string[], declared: Map<string, Declared>): void {
  const members = new Map<string, string>();
  for (const member of statementsOf(body)) {
    const [, key, type = ''] = /^(?:readonly )?['"]?([\w$]+)['"]?\??: ([\s\S]*)$/.exec(member) ?? [];
    if (key === undefined) continue;
    const open = type.indexOf('{');
    const inside = open === -1 ? '' : type.slice(open + 1, endOf(type, open + 1, '}'));
    if (!/^\s*['"]?[\w$]+['"]?\??:/.test(inside)) members.set(key, type);
    else {
      declare(qualified(name, key), scope, inside, [], declared);
      members.set(key, qualified(name, key));
    }
  }
  declared.set(name, { scope, members, parents, alias: '' });
}

function statementsOf(body: string): string[] {
  const statements: string[] = [];
  for (let start = 0; start < body.length; ) {
    const end = endOf(body, start, ';');
    statements.push(body.slice(start, end).trim());
    start = end + 1;
  }
  return statements.filter((statement) => statement !== '');
}

/** Where `closing` stands next outside of brackets and texts, from `from` on; the end of the text where it does not. */
function endOf(text: string, from: number, closing: string): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at]!;
    if (depth === 0 && character === closing) return at;
    if ('{[('.includes(character)) depth += 1;
    else if ('}])'.includes(character)) depth -= 1;
    else if (character === "'" || character === '"') at = text.indexOf(character, at + 1);
  }
  return text.length;
}

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
const qualified = (scope: string, name: string) => (scope === '' ? name : `${scope}.${name}`);
const namesIn = (type: string) => type.replace(/'[^']*'|"[^"]*"/g, '').match(/\b[A-Z]\w*(?:\.\w+)*/g) ?? [];

/** A name as it is seen from a scope; in front of it may stand the name under which its file was imported. */
function resolve(name: string, from: string, declared: ReadonlyMap<string, Declared>): string | null {
  for (let wanted = name; ; wanted = wanted.slice(wanted.indexOf('.') + 1)) {
    for (let scope = from; ; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.')))) {
      if (declared.has(qualified(scope, wanted))) return qualified(scope, wanted);
      if (scope === '') break;
    }
    if (!wanted.includes('.')) return null;
  }
}
