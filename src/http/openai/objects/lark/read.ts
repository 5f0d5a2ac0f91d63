/** What a rule or a terminal may be made of. */
export type LarkPart =
  | { type: 'text'; text: string; ignoresCase: boolean }
  | { type: 'pattern'; source: string }
  | { type: 'range'; from: string; to: string }
  | { type: 'name'; name: string }
  | { type: 'sequence'; items: readonly LarkPart[] }
  | { type: 'choice'; items: readonly LarkPart[] }
  | { type: 'repeat'; item: LarkPart; least: number; most: number | null };

export interface LarkGrammar {
  /** Rules and terminals by their name. */
  rules: ReadonlyMap<string, LarkPart>;
  /** Names that stand for terminals of Lark's own library, by the name that the grammar gives them. */
  imports: ReadonlyMap<string, string>;
  /** What may stand between two tokens. */
  ignored: readonly LarkPart[];
}

/** Says what of a grammar cannot be used, in words behind "The grammar". */
export class LarkError extends Error {}

type Token = { kind: 'name' | 'text' | 'pattern' | 'number' | 'sign' | 'line' | 'import'; text: string };

const deepest = 64;
const names = /^[a-zA-Z_]\w*$/;

/** Reads a grammar in Lark's notation. Throws `LarkError` that names the construct which has no translation. */
export function readLark(source: string): LarkGrammar {
  const tokens = tokensOf(source);
  const rules = new Map<string, LarkPart>();
  const imports = new Map<string, string>();
  const ignored: LarkPart[] = [];
  let at = 0;
  const peek = (): Token | undefined => tokens[at];
  const isSign = (text: string) => peek()?.kind === 'sign' && peek()?.text === text;
  const take = (text: string): boolean => {
    if (!isSign(text)) return false;
    at++;
    return true;
  };
  const need = (kind: Token['kind'], where: string): string => {
    const token = tokens[at++];
    if (token?.kind !== kind) throw new LarkError(`cannot be read ${where}`);
    return token.text;
  };
  const endLine = (where: string) => {
    if (at < tokens.length && tokens[at++]!.kind !== 'line') throw new LarkError(`cannot be read ${where}`);
  };

  const choice = (where: string, depth: number): LarkPart => {
    if (depth > deepest) throw new LarkError(`is nested deeper than ${deepest} levels ${where}`);
    const items = [sequence(where, depth)];
    for (;;) {
      // An alternative may stand on a line of its own.
      let next = at;
      while (tokens[next]?.kind === 'line') next++;
      if (tokens[next]?.kind !== 'sign' || tokens[next]?.text !== '|') break;
      at = next + 1;
      items.push(sequence(where, depth));
    }
    return items.length === 1 ? items[0]! : { type: 'choice', items };
  };
  const sequence = (where: string, depth: number): LarkPart => {
    const items: LarkPart[] = [];
    for (;;) {
      const token = peek();
      if (!token || token.kind === 'line' || (token.kind === 'sign' && '|)]'.includes(token.text))) break;
      if (take('->')) {
        need('name', where);
        continue;
      }
      items.push(repeated(one(where, depth), where));
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', items };
  };
  const one = (where: string, depth: number): LarkPart => {
    if (take('(')) return closed(choice(where, depth + 1), ')', where);
    if (take('[')) return { type: 'repeat', item: closed(choice(where, depth + 1), ']', where), least: 0, most: 1 };
    const token = tokens[at++];
    switch (token?.kind) {
      case 'name':
        if (isSign('{')) throw new LarkError(`uses a template, "${token.text}", ${where}`);
        return { type: 'name', name: token.text };
      case 'pattern':
        return patternOf(token.text, where);
      case 'text': {
        const text = textOf(token.text, where);
        if (!take('..')) return text;
        const to = textOf(need('text', where), where);
        if ([...text.text].length !== 1 || [...to.text].length !== 1)
          throw new LarkError(`has a range of more than characters ${where}`);
        return { type: 'range', from: text.text, to: to.text };
      }
      default:
        throw new LarkError(`has an unexpected ${token ? JSON.stringify(token.text) : 'end'} ${where}`);
    }
  };
  const closed = (part: LarkPart, close: string, where: string): LarkPart => {
    while (peek()?.kind === 'line') at++;
    if (!take(close)) throw new LarkError(`lacks a "${close}" ${where}`);
    return part;
  };
  const repeated = (item: LarkPart, where: string): LarkPart => {
    if (take('?')) return { type: 'repeat', item, least: 0, most: 1 };
    if (take('*')) return { type: 'repeat', item, least: 0, most: null };
    if (take('+')) return { type: 'repeat', item, least: 1, most: null };
    if (!take('~')) return item;
    const least = Number(need('number', where));
    return { type: 'repeat', item, least, most: take('..') ? Number(need('number', where)) : least };
  };
  const directive = (word: string) => {
    const where = `at %${word}`;
    if (word === 'ignore') ignored.push(choice(where, 0));
    else if (word === 'import') {
      const [, from = '', list, single, alias] =
        /^\s*([\w.]*?)\.?\s*(?:\(([^)]*)\)|(\w+)\s*(?:->\s*(\w+))?)\s*$/.exec(need('import', where)) ?? [];
      if (from !== 'common') throw new LarkError(`imports from "${from}", and only "common" is known`);
      for (const name of list?.split(',').map((part) => part.trim()) ?? []) imports.set(name, name);
      if (single) imports.set(alias ?? single, single);
    } else throw new LarkError(`uses "%${word}"`);
    endLine(where);
  };

  while (at < tokens.length) {
    if (peek()!.kind === 'line') {
      at++;
      continue;
    }
    if (take('%')) {
      directive(need('name', 'at a %'));
      continue;
    }
    // Marks for the tree, which nobody builds here.
    while (take('?') || take('!'));
    const name = need('name', 'where a rule should begin');
    const where = `in "${name}"`;
    if (isSign('{')) throw new LarkError(`uses a template, "${name}"`);
    if (take('.')) need('number', where);
    if (!take(':')) throw new LarkError(`lacks a ":" ${where}`);
    if (rules.has(name)) throw new LarkError(`defines "${name}" twice`);
    rules.set(name, choice(where, 0));
    endLine(where);
  }
  return { rules, imports, ignored };
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /(?<space>[ \t\r]+|\/\/[^\n]*|#[^\n]*)|(?<line>\n)|%(?:import)(?<path>[^\n]*)|(?<text>"(?:[^"\\\n]|\\.)*"i?)|(?<pattern>\/(?!\/)(?:[^/\\\n]|\\.)+\/[a-z]*)|(?<name>[a-zA-Z_]\w*)|(?<number>\d+)|(?<sign>->|\.\.|[:|()[\]{}?*+~!.,%])/y;
  let at = 0;
  while (at < source.length) {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (!found) throw new LarkError(`cannot be read at ${JSON.stringify(source.slice(at, at + 20))}`);
    at = pattern.lastIndex;
    const { space, path: imported, ...kinds } = found.groups!;
    if (space !== undefined) continue;
    if (imported !== undefined) {
      // The path of an import is not written as rules are.
      const path = imported.replace(/\/\/.*$/, '');
      tokens.push({ kind: 'sign', text: '%' }, { kind: 'name', text: 'import' }, { kind: 'import', text: path });
      continue;
    }
    const [kind, text] = Object.entries(kinds).find(([, value]) => value !== undefined)!;
    tokens.push({ kind: kind as Token['kind'], text: text! });
  }
  return tokens;
}

function textOf(token: string, where: string): Extract<LarkPart, { type: 'text' }> {
  const ignoresCase = token.endsWith('i');
  const inside = token.slice(1, ignoresCase ? -2 : -1);
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', f: '\f', '\\': '\\', '"': '"', '/': '/' };
  const text = inside.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\s\S]))/g,
    (_all, hex2, hex4, letter: string) => {
      if (hex2 ?? hex4) return String.fromCharCode(Number.parseInt(hex2 ?? hex4, 16));
      const known = escapes[letter];
      if (known === undefined) throw new LarkError(`has the escape "\\${letter}" ${where}`);
      return known;
    },
  );
  return { type: 'text', text, ignoresCase };
}

function patternOf(token: string, where: string): LarkPart {
  const end = token.lastIndexOf('/');
  const flags = token.slice(end + 1);
  if (flags !== '') throw new LarkError(`has a regular expression with the flag "${flags[0]}" ${where}`);
  const source = token.slice(1, end).replaceAll('\\/', '/');
  const outside = source.replace(/\\.|\[(?:[^\]\\]|\\.)*\]/g, ' ');
  const look = /\(\?(?:<?[=!]|P|\(|[aiLmsux-])|[\^$]/.exec(outside);
  if (look) throw new LarkError(`has a regular expression with "${look[0]}" ${where}`);
  return { type: 'pattern', source };
}

/** Whether a name is one of a terminal: all in capitals. */
export const isTerminal = (name: string): boolean => names.test(name) && name === name.toUpperCase();
