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

/** The grammar of one call as a JSON object: one of the tools, with arguments under `argumentsKey`. */
export function callObject(parts: GrammarParts, tools: readonly ToolDefinition[], argumentsKey: string): string {
  const space = parts.add('(" " | "\\n")?');
  return parts.add(
    choice(
      tools.map((tool) => {
        const name = quoted(`"name":`);
        const value = quoted(JSON.stringify(tool.name));
        const key = quoted(`${JSON.stringify(argumentsKey)}:`);
        return `"{" ${space} ${name} ${space} ${value} "," ${space} ${key} ${space} ${parts.argumentsOf(tool)} ${space} "}"`;
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

/**
 * Rules of an automaton that reads until `end` is whole: rule n has read n characters of it. `end` begins with a
 * character that it does not repeat, so a mismatch goes back to 0, or to 1 at that character.
 */
function untilRules(name: string, end: string): string[] {
  const [first = '', ...rest] = Array.from(end);
  if (rest.includes(first)) throw new Error('the text that ends a value repeats its first character');
  const other = (...known: string[]) => {
    const codes = [...new Set(known)].map((character) => character.codePointAt(0)!).sort((a, b) => a - b);
    const ranges: [number, number][] = [];
    let from = 1;
    for (const code of codes) {
      if (code > from) ranges.push([from, code - 1]);
      from = code + 1;
    }
    return charClass([...ranges, [from, 0x10ffff]]);
  };
  const lines = [`${name}-0 ::= ${other(first)} ${name}-0 | ${literal(first)} ${name}-1`];
  rest.forEach((character, index) => {
    const state = index + 1;
    const next = state === rest.length ? literal(character) : `${literal(character)} ${name}-${state + 1}`;
    lines.push(`${name}-${state} ::= ${next} | ${literal(first)} ${name}-1 | ${other(first, character)} ${name}-0`);
  });
  return lines;
}
