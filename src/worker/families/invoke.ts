import type { ToolCallForm } from './form.ts';
import { callNumber } from './grammar-parts.ts';
import { createRepeatedReader } from './repeated-reader.ts';
import { type TaggedLayout, taggedGrammar } from './tagged-grammar.ts';
import { createTaggedReader, type TaggedSyntax } from './tagged-reader.ts';

/** How several calls with tagged arguments stand between one pair of tags. */
interface TaggedListLayout {
  name: string;
  /** The first is the one that the template writes. */
  opens: readonly [string, ...string[]];
  close: string;
  markers: readonly string[];
  /** Written between `opens` and the first call. */
  before: string;
  /** Begins each call. */
  callOpens: string;
  syntax: TaggedSyntax;
  layout: TaggedLayout & { several: { between: string; close: string } };
  /** Stands before `opens` where a call is begun for the model. */
  lead?: string;
  frameOf?: ToolCallForm['frameOf'];
}

/** `<minimax:tool_call>` around `<invoke name="NAME"><parameter name="KEY">value</parameter></invoke>`: MiniMax M2. */
export const minimaxForm = invokeForm({ name: 'minimax', prefix: '', opens: ['<minimax:tool_call>'] });

/** The same in tags of DeepSeek's own, which say what is a string. V3.2 has another name for the outer one. */
export const dsmlForm = (outer: 'tool_calls' | 'function_calls'): ToolCallForm =>
  invokeForm({ name: 'dsml', prefix: '｜DSML｜', opens: [`<｜DSML｜${outer}>`], isTyped: true });

/** The same in tags of its own, in a message to the tool: Muse Glimmer. */
export const atemForm = invokeForm({
  name: 'atem',
  prefix: 'atem:',
  opens: ['<atem:function_calls>'],
  lead: '<|message|>',
  frameOf: (tools) => tools.map(({ name }) => `to=${name}<|message|>`),
});

/** `<|open|>call tool="NAME" index="1"<|sep|>` with `<|open|>argument key="KEY" type="string"<|sep|>` in it: Kimi K3. */
export const kimiTagsForm = taggedListForm({
  name: 'kimi-tags',
  opens: ['<|open|>tools<|sep|>'],
  close: '<|close|>tools<|sep|>',
  markers: ['<|open|>', '<|close|>', '<|sep|>'],
  before: '',
  callOpens: '<|open|>call',
  syntax: {
    head: /^<\|open\|>call tool="([^"<>]+)"(?: index="\d*")?<\|sep\|>/,
    partialHead: /^<\|open\|>[^<>]*(?:<\|?s?e?p?\|?)?$/,
    key: /^<\|open\|>argument key="([^"<>]+)"(?: type="(?:(?<isString>string)|[a-z]*)")?<\|sep\|>/,
    valueEnd: '<|close|>argument<|sep|>',
    trimsLines: false,
    end: /^<\|close\|>call<\|sep\|>/,
    tags: ['<|open|>argument', '<|close|>call<|sep|>'],
  },
  layout: {
    head: (name) => `<|open|>call tool="${name}" index="${callNumber}"<|sep|>`,
    argument: (key, type) => `<|open|>argument key="${key}" type="${type}"<|sep|>`,
    isTyped: true,
    afterValue: '',
    valueEnd: '<|close|>argument<|sep|>',
    afterString: '',
    tail: '<|close|>call<|sep|>',
    several: { between: '', close: '<|close|>tools<|sep|>' },
  },
});

function invokeForm(written: {
  name: string;
  /** Before the name of each tag. */
  prefix: string;
  opens: readonly [string, ...string[]];
  /** Tags of arguments say whether they are strings. */
  isTyped?: boolean;
  lead?: string;
  frameOf?: ToolCallForm['frameOf'];
}): ToolCallForm {
  const { name, prefix, opens, isTyped = false, lead, frameOf } = written;
  const close = opens[0].replace('<', '</');
  const type = isTyped ? ' string="(?:(?<isString>true)|false)"' : '';
  return taggedListForm({
    name,
    opens,
    close,
    ...(lead !== undefined && { lead }),
    ...(frameOf && { frameOf }),
    markers: isTyped ? ['｜DSML｜'] : [],
    before: '\n',
    callOpens: `<${prefix}invoke`,
    syntax: {
      head: new RegExp(`^<${prefix}invoke name="([^"<>]+)">`),
      partialHead: /^<[^>]*$/,
      key: new RegExp(`^<${prefix}parameter name="([^"<>]+)"${type}>`),
      valueEnd: `</${prefix}parameter>`,
      trimsLines: false,
      end: new RegExp(`^</${prefix}invoke>`),
      tags: [`<${prefix}parameter`, `</${prefix}invoke>`],
    },
    layout: {
      head: (tool) => `<${prefix}invoke name="${tool}">\n`,
      argument: (key, valueType) =>
        `<${prefix}parameter name="${key}"${isTyped ? ` string="${valueType === 'string'}"` : ''}>`,
      isTyped,
      afterValue: '',
      valueEnd: `</${prefix}parameter>`,
      afterString: '\n',
      tail: `</${prefix}invoke>`,
      several: { between: '\n', close: `\n${close}` },
    },
  });
}

function taggedListForm(written: TaggedListLayout): ToolCallForm {
  const { name, opens, close, before, syntax, layout, lead = '' } = written;
  const around = { opens: written.callOpens, close };
  const begun = lead + opens[0] + before;
  return {
    name,
    opens,
    markers: [...opens, close, ...written.markers],
    ...(written.frameOf && { frameOf: written.frameOf }),
    createReader: ({ tools, sink }) => createRepeatedReader(around, () => createTaggedReader({ syntax, tools, sink })),
    callGrammar: (tools, how) =>
      taggedGrammar({ layout, tools, how, headOf: (tool) => before + layout.head(tool.name) }),
    requireCall({ tools, named, how }) {
      if (!named) {
        return { prefix: begun, gbnf: taggedGrammar({ layout, tools, how, headOf: (tool) => layout.head(tool.name) }) };
      }
      const { several, ...one } = layout;
      const single = { ...one, tail: layout.tail + several.close };
      return {
        prefix: begun + layout.head(named.name).replace(callNumber, '1'),
        gbnf: taggedGrammar({ layout: single, tools: [named], how, headOf: () => '' }),
      };
    },
  };
}
