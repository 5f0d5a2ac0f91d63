import { createClosingReader } from './closing.ts';
import type { CallReader, ToolCallForm } from './form.ts';
import { type TaggedLayout, taggedGrammar } from './tagged-grammar.ts';
import { createTaggedReader, type TaggedSyntax } from './tagged-reader.ts';

const bareOpen = '<function=';

const syntax: TaggedSyntax = {
  head: /^<function=([^>\s]+)>/,
  partialHead: /^(?:<|<f[a-z]*=?[^>\s]*)?$/,
  key: /^<parameter=([^>\n]+)>/,
  valueEnd: '</parameter>',
  trimsLines: true,
  end: /^<\/function>/,
  tags: ['<parameter=', '</function>'],
};

/**
 * `<tool_call><function=NAME><parameter=KEY>value</parameter></function></tool_call>`: Qwen3-Coder, Qwen3.5 and others,
 * and Seed-OSS with a tag of its own (`tag`) around it and values on the line of their tag (`line` empty). Their models
 * sometimes leave the outer tag out.
 */
export function qwenCoderForm(
  written: { tag: string; line: '\n' | '' } = { tag: 'tool_call', line: '\n' },
): ToolCallForm {
  const open = `<${written.tag}>`;
  const close = `</${written.tag}>`;
  const layout: TaggedLayout = {
    head: (name) => `<function=${name}>\n`,
    argument: (key) => `<parameter=${key}>${written.line}`,
    afterValue: written.line,
    valueEnd: '</parameter>',
    afterString: '\n',
    tail: `</function>\n${close}`,
  };
  return {
    name: 'qwen-coder',
    opens: [open, bareOpen],
    markers: [open, close],
    freeOpens: [bareOpen],
    createReader({ opened, tools, sink }) {
      const inner = createTaggedReader({ syntax: { ...syntax, trimsLines: written.line !== '' }, tools, sink });
      const reader = createClosingReader(inner, close);
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
}

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
