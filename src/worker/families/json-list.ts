import { createClosingReader } from './closing.ts';
import type { ToolCallForm } from './form.ts';
import { type CallKeys, callObject, createGrammarParts, quoted } from './grammar-parts.ts';
import { createRowReader } from './row-reader.ts';

/** How calls stand between a marker and its counterpart, each of them a JSON object. */
interface JsonListLayout {
  name: string;
  /** The first is the one that the template writes. */
  opens: readonly [string, ...string[]];
  close: string;
  /** Whether a model always writes `close`. */
  isClosed: boolean;
  keys: CallKeys;
  /** `list`: in brackets, with commas. `lines`: one a line. */
  shape: 'list' | 'lines';
}

const plainKeys: CallKeys = { name: 'name', arguments: 'arguments' };
const cohereKeys: CallKeys = { name: 'tool_name', arguments: 'parameters' };

/** `<|tool_call|>[{"name": …, "arguments": …}, …]`: Granite 3, and Phi-4 mini with a closing tag. */
export const graniteForm = jsonListForm({
  name: 'granite',
  opens: ['<|tool_call|>'],
  close: '<|/tool_call|>',
  isClosed: false,
  keys: plainKeys,
  shape: 'list',
});

/** `<tool_calls>[{"name": …, "arguments": …}, …]</tool_calls>`: Apriel. */
export const aprielForm = jsonListForm({
  name: 'apriel',
  opens: ['<tool_calls>'],
  close: '</tool_calls>',
  isClosed: true,
  keys: plainKeys,
  shape: 'list',
});

/** `<tool_calls>` and a line for each call: MiniMax M1. */
export const minimaxLinesForm = jsonListForm({
  name: 'minimax-lines',
  opens: ['<tool_calls>'],
  close: '</tool_calls>',
  isClosed: true,
  keys: plainKeys,
  shape: 'lines',
});

/** `<|START_ACTION|>[{"tool_call_id": "0", "tool_name": …, "parameters": …}, …]<|END_ACTION|>`: Command R7B and A. */
export const commandForm = jsonListForm({
  name: 'command',
  opens: ['<|START_ACTION|>'],
  close: '<|END_ACTION|>',
  isClosed: true,
  keys: { ...cohereKeys, before: { key: 'tool_call_id', value: '"\\"" [0-9] "\\""' } },
  shape: 'list',
});

/** `Action:` and a block of JSON with `tool_name` and `parameters`: Command R and R+. */
export const commandActionForm = jsonListForm({
  name: 'command-action',
  opens: ['Action:\n```json\n', 'Action: ```json\n', 'Action:```json\n'],
  close: '```',
  isClosed: true,
  keys: cohereKeys,
  shape: 'list',
});

function jsonListForm({ name, opens, close, isClosed, keys, shape }: JsonListLayout): ToolCallForm {
  const [open] = opens;
  const [first, between, last] = { list: ['[', ', ', ']'], lines: ['\n', '\n', '\n'] }[shape] as [
    string,
    string,
    string,
  ];
  const end = quoted(last + (isClosed ? close : ''));
  const before = keys.before ? `"${keys.before.key}": "0", ` : '';
  return {
    name,
    opens,
    markers: [...opens, close],
    createReader: ({ sink }) => createClosingReader(createRowReader({ sink, shape }), close),
    callGrammar(tools, how) {
      const parts = createGrammarParts(how);
      const call = callObject(parts, tools, keys);
      return parts.print(`${quoted(first)} ${call} (${quoted(between)} ${call})* ${end}`);
    },
    requireCall({ tools, named, how }) {
      const parts = createGrammarParts(how);
      if (!named) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
      return {
        prefix: `${open}${first}{${before}"${keys.name}": ${JSON.stringify(named.name)}, "${keys.arguments}": `,
        gbnf: parts.print(`${parts.argumentsOf(named)} "}" ${end}`),
      };
    },
  };
}
