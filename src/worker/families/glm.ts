import type { GrammarDeps, ToolCallForm } from './form.ts';
import { type TaggedLayout, taggedGrammar } from './tagged-grammar.ts';
import { createTaggedReader, type TaggedSyntax } from './tagged-reader.ts';

const open = '<tool_call>';
const close = '</tool_call>';

const syntax: TaggedSyntax = {
  head: /^([\w.:/-]+)\s*(?=<arg_key>|<\/tool_call>)/,
  partialHead: /^[\w.:/-]*\s*(?:<[a-z_/]*)?$/,
  key: /^<arg_key>([^<]+)<\/arg_key>\s*<arg_value>/,
  valueEnd: '</arg_value>',
  trimsLines: false,
  end: /^<\/tool_call>/,
  tags: ['<arg_key>', close],
};

/**
 * `<tool_call>NAME<arg_key>key</arg_key><arg_value>value</arg_value></tool_call>`: GLM 4.5 and later. `line`: what the
 * template writes between the tags, a line break or nothing.
 */
export function glmForm(line: '\n' | ''): ToolCallForm {
  const layout: TaggedLayout = {
    head: (name) => name + line,
    argument: (key) => `<arg_key>${key}</arg_key>${line}<arg_value>`,
    afterValue: '',
    valueEnd: '</arg_value>',
    afterString: line,
    tail: close,
  };
  const anyCall = (tools: Parameters<ToolCallForm['callGrammar']>[0], how: GrammarDeps) =>
    taggedGrammar({ layout, tools, how, headOf: ({ name }) => layout.head(name) });
  return {
    name: 'glm',
    opens: [open],
    markers: [open, close, '<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>'],
    createReader: ({ tools, sink }) => createTaggedReader({ syntax, tools, sink }),
    callGrammar: anyCall,
    requireCall({ tools, named, how }) {
      if (!named) return { prefix: open, gbnf: anyCall(tools, how) };
      return {
        prefix: open + layout.head(named.name),
        gbnf: taggedGrammar({ layout, tools: [named], how, headOf: () => '' }),
      };
    },
  };
}
