import { createClosingReader } from './closing.ts';
import type { CallReader, CallSink, ToolCallForm } from './form.ts';
import { callNumber, choice, counted, createGrammarParts, quoted } from './grammar-parts.ts';
import { createNamedReader, type NamedSyntax } from './named-reader.ts';
import { createRepeatedReader, type RepeatedSyntax } from './repeated-reader.ts';

/** How calls stand between a marker and its counterpart, each with its name before a JSON object of arguments. */
interface NamedJsonLayout {
  name: string;
  /** The first is the one that the template writes. */
  opens: readonly [string, ...string[]];
  /** Further control tokens. */
  markers: readonly string[];
  /** Text of a call before its arguments, with `callNumber` for its number, and behind them. */
  head(tool: string): string;
  tail: string;
  /** Markers that end one call, in their order. A model may leave them out. */
  tails: readonly string[];
  syntax: NamedSyntax;
  around: RepeatedSyntax;
  /** Written before the first call, between two and behind the last one. */
  written: { before: string; between: string; close: string };
  /** Ends all calls, behind `around.close`; left out: nothing more. */
  outerClose?: string;
}

const sep = '<｜tool▁sep｜>';
const callBegin = '<｜tool▁call▁begin｜>';
const callEnd = '<｜tool▁call▁end｜>';
const deepSeekTexts = {
  // Distilled models write the first marker with other spaces.
  opens: ['<｜tool▁calls▁begin｜>', '<｜tool_calls_begin｜>', '<｜tool calls begin｜>'] as const,
  markers: [callBegin, sep, callEnd, '<｜tool▁calls▁end｜>'],
  syntax: {
    head: /^<｜tool▁call▁begin｜>\s*(?:function<｜tool▁sep｜>(?<name>[\w.:/-]+)\s*```json\s*(?=\{)|(?<later>[\w.:/-]+)<｜tool▁sep｜>\s*(?=\{))/,
    partialHead: /^[^{]*$/,
  },
  tails: ['```', callEnd],
  around: { opens: callBegin, close: '<｜tool▁calls▁end｜>' },
};

/**
 * DeepSeek's. `fenced`: `<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME` and a block of JSON (V3 and R1); `plain`:
 * `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}` (V3.1). Both are read; `written`: the one that the template writes.
 */
export const deepSeekForm = (written: 'fenced' | 'plain'): ToolCallForm =>
  namedJsonForm({
    ...deepSeekTexts,
    name: 'deepseek',
    ...(written === 'fenced'
      ? {
          head: (tool) => `${callBegin}function${sep}${tool}\n\`\`\`json\n`,
          tail: `\n\`\`\`${callEnd}`,
          written: { before: '', between: '\n', close: '<｜tool▁calls▁end｜>' },
        }
      : {
          head: (tool) => `${callBegin}${tool}${sep}`,
          tail: callEnd,
          written: { before: '', between: '', close: '<｜tool▁calls▁end｜>' },
        }),
  });

/** `<|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{…}<|tool_call_end|>` in a section: Kimi K2. */
export const kimiForm = namedJsonForm({
  name: 'kimi',
  opens: ['<|tool_calls_section_begin|>'],
  markers: ['<|tool_call_begin|>', '<|tool_call_argument_begin|>', '<|tool_call_end|>', '<|tool_calls_section_end|>'],
  head: (tool) => `<|tool_call_begin|>functions.${tool}:${callNumber}<|tool_call_argument_begin|>`,
  tail: '<|tool_call_end|>',
  tails: ['<|tool_call_end|>'],
  syntax: {
    head: /^<\|tool_call_begin\|>\s*(?:functions\.)?(?<name>[\w./-]+)(?::\d+)?\s*<\|tool_call_argument_begin\|>/,
    partialHead: /^[^{]*$/,
  },
  around: { opens: '<|tool_call_begin|>', close: '<|tool_calls_section_end|>' },
  written: { before: '', between: '', close: '<|tool_calls_section_end|>' },
});

/** `<|tools_prefix|>[{"NAME": {…}}, …]<|tools_suffix|>`: Apertus. */
export const apertusForm = namedJsonForm({
  name: 'apertus',
  opens: ['<|tools_prefix|>'],
  markers: ['<|tools_suffix|>'],
  head: (tool) => `{${JSON.stringify(tool)}: `,
  tail: '}',
  tails: ['}'],
  syntax: { head: /^\{\s*"(?<name>[\w.:/-]+)"\s*:\s*(?=\{)/, partialHead: /^\{[^{}]*$/ },
  around: { before: '[', separator: ',', opens: '{', close: ']' },
  written: { before: '[', between: ', ', close: ']<|tools_suffix|>' },
  outerClose: '<|tools_suffix|>',
});

function namedJsonForm(layout: NamedJsonLayout): ToolCallForm {
  const { name, opens, syntax, around, written } = layout;
  const [open] = opens;
  const readOne = (sink: CallSink): CallReader =>
    layout.tails.reduce<CallReader>(createClosingReader, createNamedReader({ syntax, sink }));
  return {
    name,
    opens,
    ...(opens.length > 1 && { freeOpens: opens.slice(1) }),
    markers: [...opens, ...layout.markers],
    createReader({ sink }) {
      const reader = createRepeatedReader(around, () => readOne(sink));
      return layout.outerClose === undefined ? reader : createClosingReader(reader, layout.outerClose);
    },
    callGrammar(tools, how) {
      const parts = createGrammarParts(how);
      const call = parts.add(
        choice(
          tools.map((tool) => `${counted(layout.head(tool.name))} ${parts.argumentsOf(tool)} ${quoted(layout.tail)}`),
        ),
      );
      const more = `(${quoted(written.between)} ${call})*`;
      return parts.print(`${quoted(written.before)} ${call} ${more} ${quoted(written.close)}`);
    },
    requireCall({ tools, named, how }) {
      if (!named) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
      const parts = createGrammarParts(how);
      return {
        prefix: open + written.before + layout.head(named.name).replace(callNumber, '0'),
        gbnf: parts.print(`${parts.argumentsOf(named)} ${quoted(layout.tail + written.close)}`),
      };
    },
  };
}
