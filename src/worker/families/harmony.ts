import { createClosingReader } from './closing.ts';
import type { ToolCallForm } from './form.ts';
import { choice, createGrammarParts, quoted } from './grammar-parts.ts';
import { createNamedReader, type NamedSyntax } from './named-reader.ts';

const recipient = 'to=functions.';
const open = `<|channel|>commentary ${recipient}`;
const afterName = ' <|constrain|>json<|message|>';
const close = '<|call|>';

/** What stands behind the recipient differs: the channel before it or behind it, the format with its token or without. */
const syntax: NamedSyntax = {
  head: /^(?:to=functions\.)?(?<name>[\w-]+)\s*(?:<\|channel\|>\s*[a-z]+\s*)?(?:(?:<\|constrain\|>)?\s*[a-z]+\s*)?<\|message\|>/,
  partialHead: /^[^{]*$/,
};

/**
 * gpt-oss: a message on the channel of commentary, to a function:
 * `<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{…}<|call|>`. The recipient may stand before the
 * channel as well, as the template writes it in a history.
 */
export const harmonyForm: ToolCallForm = {
  name: 'harmony',
  opens: [open, `<|channel|>analysis ${recipient}`, `<|start|>assistant ${recipient}`],
  freeOpens: [`<|channel|>analysis ${recipient}`, `<|start|>assistant ${recipient}`],
  markers: ['<|constrain|>', close],
  // Behind the prompt's `<|start|>assistant`.
  opensBare: (text) => (text.startsWith(recipient) ? 'call' : recipient.startsWith(text) ? 'wait' : 'text'),
  beginsMarked: true,
  createReader: ({ sink }) => createClosingReader(createNamedReader({ syntax, sink }), close),
  callGrammar(tools, how) {
    const parts = createGrammarParts(how);
    const calls = tools.map((tool) => `${quoted(tool.name + afterName)} ${parts.argumentsOf(tool)}`);
    return parts.print(`${choice(calls)} ${quoted(close)}`);
  },
  requireCall({ tools, named, how }) {
    if (!named) return { prefix: open, gbnf: this.callGrammar(tools, how)! };
    const parts = createGrammarParts(how);
    return {
      prefix: open + named.name + afterName,
      gbnf: parts.print(`${parts.argumentsOf(named)} ${quoted(close)}`),
    };
  },
};
