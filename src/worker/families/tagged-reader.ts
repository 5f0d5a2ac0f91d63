import type { ToolDefinition } from '../../core/chat.ts';
import { longestPartialMatch } from '../text/text.ts';
import { type ArgumentTypes, bareValueToJson, isOnlyString, parameterSchema, typesOf } from './argument-types.ts';
import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';
import { createUntilFinder } from './until.ts';

/** How a form with tagged arguments is written. The patterns match at the start of what is left. */
export interface TaggedSyntax {
  /** Up to the first argument or the end; group 1 is the tool's name. */
  head: RegExp;
  /** What may still become a head. */
  partialHead: RegExp;
  /** Up to the value of an argument; group 1 is its key; a group `isString` tells that the value is a string. */
  key: RegExp;
  /** Ends a value. */
  valueEnd: string;
  /** One line break on either side of a value is layout. */
  trimsLines: boolean;
  /** Ends the call. */
  end: RegExp;
  /** Beginnings of `key` and `end`, to tell an unfinished one from a wrong one. */
  tags: readonly string[];
}

/** Longest head or tag of a key: names are short. White space in front does not count. */
const longestTag = 300;
/** What a pattern may look at behind it. */
const lookahead = 50;

/**
 * Reads one call whose arguments stand in tags, and gives them as JSON by the types of the tool's schema. Strings are
 * handed on while they come.
 */
export function createTaggedReader(deps: {
  syntax: TaggedSyntax;
  tools: readonly ToolDefinition[];
  sink: CallSink;
}): CallReader {
  const { syntax, sink } = deps;
  /** All that came, in case it is no call. It is joined, and not looked into. */
  let all = '';
  /** What is not read yet: short, but for a piece that has just come. */
  let text = '';
  let tool: ToolDefinition | undefined;
  let isFirst = true;
  let key = '';
  /** The types of the value that is being read, and what was found of it while its end is not there. */
  let types: ArgumentTypes = null;
  let finder = createUntilFinder(syntax.valueEnd);
  /** Inside a string: whether its beginning was handed on. */
  let inString = false;
  let step: 'head' | 'between' | 'value' | 'string' = 'head';

  const broken = (): ReadState => ({ state: 'broken', text: all });
  const startArgument = () => {
    sink.args(`${isFirst ? '' : ', '}${JSON.stringify(key)}: `);
    isFirst = false;
  };
  const readHead = (): ReadState | null => {
    text = text.trimStart();
    const match = syntax.head.exec(text);
    if (!match) return text.length < longestTag + lookahead && syntax.partialHead.test(text) ? readOn : broken();
    if (match[0].length > longestTag) return broken();
    text = text.slice(match[0].length);
    tool = deps.tools.find(({ name }) => name === match[1]);
    sink.start(match[1]!);
    sink.args('{');
    step = 'between';
    return null;
  };
  const readBetween = (): ReadState | null => {
    text = text.trimStart();
    const end = syntax.end.exec(text);
    if (end) {
      sink.args('}');
      sink.end();
      return { state: 'done', rest: text.slice(end[0].length) };
    }
    const match = syntax.key.exec(text);
    if (!match) {
      const mayBecome = syntax.tags.some((tag) => tag.startsWith(text) || text.startsWith(tag));
      return mayBecome && text.length < longestTag + lookahead ? readOn : broken();
    }
    if (match[0].length > longestTag) return broken();
    text = text.slice(match[0].length);
    key = match[1]!;
    types = typesSaid(match.groups) ?? typesOf(parameterSchema(tool, key), tool?.parameters);
    step = isOnlyString(types) ? 'string' : 'value';
    inString = false;
    finder = createUntilFinder(syntax.valueEnd);
    return null;
  };
  const readValue = (): ReadState | null => {
    const found = finder.push(text);
    text = found?.rest ?? '';
    if (!found) return readOn;
    startArgument();
    sink.args(bareValueToJson(syntax.trimsLines ? withoutLayout(found.inside) : found.inside, types));
    step = 'between';
    return null;
  };
  /** Hands on what certainly belongs to the string. */
  const readString = (): ReadState | null => {
    const { trimsLines, valueEnd } = syntax;
    const found = text.indexOf(valueEnd);
    const before = trimsLines && found > 0 && text[found - 1] === '\n' ? found - 1 : found;
    const ends = trimsLines ? [`\n${valueEnd}`, valueEnd] : [valueEnd];
    const end = found === -1 ? text.length - longestPartialMatch(text, ends) : before;
    if (found === -1 && end === 0) return readOn;
    const start = trimsLines && !inString && text[0] === '\n' && end > 0 ? 1 : 0;
    if (!inString) {
      startArgument();
      sink.args('"');
      inString = true;
    }
    const last = found === -1 ? '' : '"';
    if (end > start || last !== '') sink.args(inJson(text.slice(start, end)) + last);
    if (found === -1) {
      text = text.slice(end);
      return readOn;
    }
    text = text.slice(found + valueEnd.length);
    step = 'between';
    return null;
  };
  const steps = { head: readHead, between: readBetween, value: readValue, string: readString };
  return {
    push(piece) {
      all += piece;
      text += piece;
      for (;;) {
        const state = steps[step]();
        if (state) return state;
      }
    },
    end: broken,
  };
}

/** What the tag of a key itself says of the type. */
function typesSaid(groups: Record<string, string> | undefined): ArgumentTypes {
  return groups?.['isString'] === undefined ? null : new Set(['string']);
}

/** One line break on either side is layout. */
function withoutLayout(text: string): string {
  const start = text.length > 1 && text[0] === '\n' ? 1 : 0;
  return text.slice(start, text.length > start && text.endsWith('\n') ? -1 : undefined);
}

/** The inside of a JSON string. Halves of a surrogate pair are written as escapes, which join again. */
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);
