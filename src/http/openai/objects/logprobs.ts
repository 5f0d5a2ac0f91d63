import type { TokenChoice, TokenLogprob } from '../../../core/events.ts';

/** OpenAI's word for "very unlikely"; JSON has no minus infinity. */
const leastLogprob = -9999;

/** Log probabilities as chat answers and chunks have them. */
export function toChatLogprobs(tokens: readonly TokenLogprob[]) {
  return {
    content: tokens.map((token) => ({ ...toChoice(token), top_logprobs: token.top.map(toChoice) })),
    refusal: null,
  };
}

function toChoice({ text, bytes, logprob }: TokenChoice) {
  return { token: text, logprob: finite(logprob), bytes };
}

/** Log probabilities in the old form of `/completions`: one entry for each token in each list. */
interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: number[];
  /** Text to log probability; the token itself is always there. */
  top_logprobs: Record<string, number>[];
  /** Where the token begins in the text of its choice, in characters as Python counts them. */
  text_offset: number[];
}

/** Writes the tokens of one choice in the old form; offsets go on from call to call. */
export function createCompletionLogprobs(): (tokens: readonly TokenLogprob[]) => CompletionLogprobs {
  const decoder = new TextDecoder();
  let offset = 0;
  return (tokens) => ({
    tokens: tokens.map(nameOf),
    token_logprobs: tokens.map(({ logprob }) => finite(logprob)),
    top_logprobs: tokens.map(toTop),
    text_offset: tokens.map(({ bytes }) => {
      const start = offset;
      // A character counts where its last byte comes.
      offset += [...decoder.decode(Uint8Array.from(bytes), { stream: true })].length;
      return start;
    }),
  });
}

function toTop(token: TokenLogprob): Record<string, number> {
  const top: Record<string, number> = {};
  // Two tokens may have one text; the likelier one, which comes first, stays.
  for (const choice of [...token.top, token]) top[nameOf(choice)] ??= finite(choice.logprob);
  return top;
}

/** The old form has no bytes beside the text: a token that is a part of a character is written as OpenAI did. */
function nameOf({ text, bytes }: TokenChoice): string {
  if (!text.includes('\uFFFD')) return text;
  return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
}

const finite = (logprob: number) => Math.max(logprob, leastLogprob);
