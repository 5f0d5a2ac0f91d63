import type { ToolDefinition } from '../../core/chat.ts';
import { longestPartialMatch } from '../text/text.ts';
import { bareValueToJson, isOnlyString, parameterSchema, typesOf } from './argument-types.ts';
import type { CallReader, CallSink, ReadState } from './form.ts';
import { readOn } from './form.ts';

/** How a form with tagged arguments is written. The patterns match at the start of what is left. */
export interface TaggedSyntax {
  /** Up to the first argument or the end; group 1 is the tool's name. */
  head: RegExp;
  /** What may still become a head. */
  partialHead: RegExp;
  /** Up to the value of an argument; group 1 is its key. */
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

/** Longest tag of a key: parameter names are short. */
const longestTag = 300;

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
  let text = '';
  /** Where what is not read yet begins, and how far it has been searched for the end of a value. */
  let at = 0;
  let searched = 0;
  let tool: ToolDefinition | undefined;
  let isFirst = true;
  let key: string | null = null;
  /** Inside a string value whose beginning was handed on. */
  let inString = false;
  let step: 'head' | 'between' | 'value' = 'head';

  const broken = (): ReadState => ({ state: 'broken', text });
  const startArgument = () => {
    sink.args(`${isFirst ? '' : ', '}${JSON.stringify(key)}: `);
    isFirst = false;
  };
  const types = () => typesOf(parameterSchema(tool, key ?? ''), tool?.parameters);
  const readHead = (): ReadState | null => {
    const rest = text.slice(at);
    const match = syntax.head.exec(rest);
    if (!match) return syntax.partialHead.test(rest) && rest.length < longestTag ? readOn : broken();
    at += match[0].length;
    tool = deps.tools.find(({ name }) => name === match[1]);
    sink.start(match[1]!);
    sink.args('{');
    step = 'between';
    return null;
  };
  const readBetween = (): ReadState | null => {
    const rest = text.slice(at);
    const end = syntax.end.exec(rest);
    if (end) {
      sink.args('}');
      sink.end();
      return { state: 'done', rest: rest.slice(end[0].length) };
    }
    const match = syntax.key.exec(rest);
    if (!match) {
      const begun = rest.trimStart();
      const mayBecome = syntax.tags.some((tag) => tag.startsWith(begun) || begun.startsWith(tag));
      return mayBecome && begun.length < longestTag ? readOn : broken();
    }
    at += match[0].length;
    searched = at;
    key = match[1]!;
    step = 'value';
    return null;
  };
  const readValue = (): ReadState | null => {
    const found = text.indexOf(syntax.valueEnd, searched);
    if (found === -1) {
      searched = Math.max(at, text.length - syntax.valueEnd.length + 1);
      if (isOnlyString(types())) streamString();
      return readOn;
    }
    const end = syntax.trimsLines && text[found - 1] === '\n' && found > at ? found - 1 : found;
    if (inString) sink.args(`${inJson(text.slice(at, end))}"`);
    else {
      const start = syntax.trimsLines && text[at] === '\n' && at < end ? at + 1 : at;
      startArgument();
      sink.args(bareValueToJson(text.slice(start, end), types()));
    }
    inString = false;
    at = found + syntax.valueEnd.length;
    step = 'between';
    return null;
  };
  /** Hands on what certainly belongs to a string. */
  const streamString = () => {
    const ends = syntax.trimsLines ? [`\n${syntax.valueEnd}`, syntax.valueEnd] : [syntax.valueEnd];
    const end = text.length - longestPartialMatch(text.slice(at), ends);
    if (end <= at) return;
    if (!inString) {
      if (syntax.trimsLines && text[at] === '\n') at++;
      startArgument();
      sink.args('"');
      inString = true;
    }
    if (end > at) sink.args(inJson(text.slice(at, end)));
    at = Math.max(at, end);
  };
  const steps = { head: readHead, between: readBetween, value: readValue };
  return {
    push(piece) {
      text += piece;
      for (;;) {
        const state = steps[step]();
        if (state) return state;
      }
    },
    end: broken,
  };
}

/** The inside of a JSON string. Halves of a surrogate pair are written as escapes, which join again. */
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);
