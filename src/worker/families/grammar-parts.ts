import type { ToolDefinition } from '../../core/chat.ts';
import { charClass, convertSchema, limits, literal, needsCheck, schemaToGrammar } from '../grammar/grammar.ts';
import type { GrammarDeps } from './form.ts';

/** Puts a grammar together from schemas, literals and rules of its own. Bodies are GBNF. */
export interface GrammarParts {
  /** Rule of a whole grammar. */
  embed(gbnf: string): string;
  /**
   * Rule for JSON that keeps to a schema of a tool. Throws `invalid_request` naming what can neither be
   * kept nor checked. `entry`: pointer to the part that counts, without it all of it.
   */
  schema(schema: unknown, tool: ToolDefinition, entry?: string): string;
  /** Notes that calls of a tool have to be checked. */
  leaveOpen(tool: ToolDefinition): void;
  /** Rule for a tool's arguments as a JSON object. */
  argumentsOf(tool: ToolDefinition): string;
  /** Rule with a body; gives its name. */
  add(body: string): string;
  /** Rule for any text that ends with the first `end`, which is read too. */
  textUntil(end: string): string;
  print(root: string): string;
}

export function createGrammarParts(how: GrammarDeps): GrammarParts {
  const lines: string[] = [];
  const untils = new Map<string, string>();
  let count = 0;
  let characters = 0;
  const add = (body: string) => {
    const name = `part-${count++}`;
    lines.push(`${name} ::= ${body}`);
    return name;
  };
  const embed = (gbnf: string) => {
    characters += gbnf.length;
    const prefix = `s${count++}-`;
    lines.push(
      ...gbnf
        .trimEnd()
        .split('\n')
        .map((line) => renameRules(line, prefix)),
    );
    return `${prefix}root`;
  };
  const parts: GrammarParts = {
    add,
    embed,
    schema(schema, tool, entry = '#') {
      const { gbnf, open } = convertSchema(schema, {
        field: 'input.tools',
        subject: `The JSON schema of the tool "${tool.name}"`,
        now: how.nowMs,
        mostUnique: how.mostUnique,
        entry,
      });
      // The engine's limit holds for all schemas of a grammar together; what is left out is checked.
      const isTooLarge = characters + gbnf.length > limits.outputCharacters;
      if (needsCheck(open) || isTooLarge) how.leaveOpen(tool);
      return embed(isTooLarge ? schemaToGrammar(entry === '#' ? { type: 'object' } : true) : gbnf);
    },
    leaveOpen: how.leaveOpen,
    argumentsOf: (tool) => parts.schema({ ...tool.parameters, type: 'object', nullable: false }, tool),
    textUntil(end) {
      const known = untils.get(end);
      if (known) return known;
      const name = `until-${count++}`;
      untils.set(end, name);
      lines.push(...untilRules(name, end));
      return `${name}-0`;
    },
    print: (root) => `${lines.join('\n')}\nroot ::= ${root}\n`,
  };
  return parts;
}

/** A literal of GBNF. */
export const quoted = literal;

/** One of several bodies. */
export const choice = (bodies: readonly string[]) => `(${bodies.join(' | ')})`;

/** Stands in a text of a form for the number of the call, one digit. */
export const callNumber = '\u0001';

/** A literal in which `callNumber` is any digit. */
export const counted = (text: string): string => text.split(callNumber).map(quoted).join(' [0-9] ');

/** How one call is written as a JSON object. */
export interface CallKeys {
  name: string;
  arguments: string;
  /** Another key in front, with its value: an id that a model counts. */
  before?: { key: string; value: string };
}

/** The grammar of one call as a JSON object: one of the tools, with its arguments. */
export function callObject(parts: GrammarParts, tools: readonly ToolDefinition[], keys: CallKeys): string {
  const space = parts.add('(" " | "\\n")?');
  const key = (name: string) => `${quoted(`${JSON.stringify(name)}:`)} ${space}`;
  const before = keys.before ? `${key(keys.before.key)} ${keys.before.value} "," ${space} ` : '';
  return parts.add(
    choice(
      tools.map((tool) => {
        const value = quoted(JSON.stringify(tool.name));
        return `"{" ${space} ${before}${key(keys.name)} ${value} "," ${space} ${key(keys.arguments)} ${parts.argumentsOf(tool)} ${space} "}"`;
      }),
    ),
  );
}

/** Gives the rules of one line a prefix, so that grammars can stand side by side. */
function renameRules(line: string, prefix: string): string {
  // A literal, a class, a quantifier, or a name.
  return line.replace(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{[0-9,]*\}|[A-Za-z][A-Za-z0-9-]*/g, (token) =>
    /^[A-Za-z]/.test(token) ? prefix + token : token,
  );
}

/** Rules of an automaton that reads until `end` is whole: rule n has read n characters of it. */
function untilRules(name: string, end: string): string[] {
  const wanted = Array.from(end);
  const known = [...new Set(wanted)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  /** How much of `end` has been read when `character` follows its first `length` characters. */
  const next = (length: number, character: string): number => {
    const read = [...wanted.slice(0, length), character];
    for (let size = read.length; size > 0; size--) {
      if (read.slice(-size).every((one, index) => one === wanted[index])) return size;
    }
    return 0;
  };
  return wanted.map((_, length) => {
    const moves = known.map((character) => ({ character, to: next(length, character) })).filter(({ to }) => to > 0);
    const onward = moves.map(({ character, to }) =>
      to === wanted.length ? literal(character) : `${literal(character)} ${name}-${to}`,
    );
    return `${name}-${length} ::= ${[...onward, `${anyBut(moves.map(({ character }) => character))} ${name}-0`].join(' | ')}`;
  });
}

/** A class of all characters but some, which are sorted. */
function anyBut(characters: readonly string[]): string {
  const ranges: [number, number][] = [];
  let from = 1;
  for (const code of characters.map((character) => character.codePointAt(0)!)) {
    if (code > from) ranges.push([from, code - 1]);
    from = code + 1;
  }
  return charClass([...ranges, [from, 0x10ffff]]);
}
