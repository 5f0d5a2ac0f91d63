/**
 * A line that a client puts at the head of its system prompt, that differs in every request, and that says nothing to a
 * model: everything behind it would have to be read anew each time.
 */
interface VolatileLine {
  /** As `x-hearth-left-out` names it. */
  name: string;
  /** Matches the line at the beginning of a text, with the line break behind it. */
  pattern: RegExp;
  /** Where its form is described, and when that was read. */
  source: string;
  readOn: string;
}

/** To add one: its form as data, here, and a row in docs/dialect-anthropic.md. */
export const volatileLines: readonly VolatileLine[] = [
  {
    name: 'claude-code-attribution',
    // Sent since Claude Code 2.1.36: "x-anthropic-billing-header: cc_version=2.1.37.0d9; cc_entrypoint=cli; cch=fa690;",
    // as a block of its own, or with the rest of the prompt behind it (vllm-mlx pull request 277).
    pattern: /^x-anthropic-billing-header:[^\n]*(?:\n+|$)/,
    source: 'https://github.com/ggml-org/llama.cpp/pull/20623',
    readOn: '2026-11-29',
  },
];

const mostLines = 4;

/**
 * A system prompt without the volatile lines at its head, and the names of those that were there. Blocks that held
 * nothing else are left out.
 */
export function leaveOutVolatile<Block extends { type: string; text?: unknown }>(
  system: string | readonly Block[],
): { system: string | Block[]; names: string[] } {
  const names: string[] = [];
  if (typeof system === 'string') return { system: withoutLines(system, names), names };
  const [first, ...others] = system;
  if (first?.type !== 'text' || typeof first.text !== 'string') return { system: [...system], names };
  const text = withoutLines(first.text, names);
  if (names.length === 0) return { system: [...system], names };
  return { system: text === '' ? others : [{ ...first, text }, ...others], names };
}

function withoutLines(text: string, names: string[]): string {
  let rest = text;
  // A prompt of such lines alone is no agent's, and each of them is a copy of the text.
  for (let count = 0; count < mostLines; count++) {
    const line = volatileLines.find(({ pattern }) => pattern.test(rest));
    if (!line) break;
    rest = rest.replace(line.pattern, '');
    names.push(line.name);
  }
  return rest;
}
