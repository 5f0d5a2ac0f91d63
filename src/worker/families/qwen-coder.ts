import { createClosingReader } from './closing.ts';
import type { CallReader, ToolCallForm } from './form.ts';
import { type TaggedLayout, taggedGrammar } from './tagged-grammar.ts';
import { createTaggedReader, type TaggedSyntax } from './tagged-reader.ts';

const open = '<tool_call>';
const close = '</tool_call>';
const bareOpen = '<function=';

const syntax: TaggedSyntax = {
  head: /^\s*<function=([^>\s]+)>/,
  partialHead: /^\s*(?:<|<f[a-z]*=?[^>\s]*)?$/,
  key: /^\s*<parameter=([^>\n]+)>/,
  valueEnd: '</parameter>',
  trimsLines: true,
  end: /^\s*<\/function>/,
  tags: ['<parameter=', '</function>'],
};

const layout: TaggedLayout = {
  head: (name) => `<function=${name}>\n`,
  argument: (key) => `<parameter=${key}>\n`,
  afterValue: '\n',
  valueEnd: '</parameter>',
  afterString: '\n',
  tail: `</function>\n${close}`,
};

/**
 * `<tool_call><function=NAME><parameter=KEY>value</parameter></function></tool_call>`: Qwen3-Coder and Qwen3.5. Their
 * models sometimes leave the outer tag out.
 */
export const qwenCoderForm: ToolCallForm = {
  name: 'qwen-coder',
  opens: [open, bareOpen],
  markers: [open, close],
  freeOpens: [bareOpen],
  createReader({ opened, tools, sink }) {
    const reader = createClosingReader(createTaggedReader({ syntax, tools, sink }), close);
    return opened === bareOpen ? withBegun(reader, bareOpen) : reader;
  },
  callGrammar: (tools, how) => taggedGrammar({ layout, tools, how, headOf: ({ name }) => `\n${layout.head(name)}` }),
  requireCall({ tools, named, how }) {
    if (named) {
      return {
        prefix: `${open}\n${layout.head(named.name)}`,
        gbnf: taggedGrammar({ layout, tools: [named], how, headOf: () => '' }),
      };
    }
    return {
      prefix: `${open}\n`,
      gbnf: taggedGrammar({ layout, tools, how, headOf: ({ name }) => layout.head(name) }),
    };
  },
};

/** A reader whose marker is the beginning of what it reads. */
function withBegun(reader: CallReader, begun: string): CallReader {
  let isFirst = true;
  return {
    push(text) {
      const state = reader.push(isFirst ? begun + text : text);
      isFirst = false;
      // The marker is given back by whoever met it.
      return state.state === 'broken' ? { state: 'broken', text: state.text.slice(begun.length) } : state;
    },
    end() {
      const state = reader.end();
      return state.state === 'broken' ? { state: 'broken', text: state.text.slice(begun.length) } : state;
    },
  };
}
