import type { TokenChoice, TokenLogprob } from '../../core/events.ts';
import { isJson, listAt } from './wire.ts';

/** Log probabilities of one chunk, of a chat (`content`) or of a completion (`tokens`). */
export function toLogprobs(raw: unknown): TokenLogprob[] {
  if (!isJson(raw)) return [];
  const chat = [...listAt(raw, 'content'), ...listAt(raw, 'refusal')];
  if (chat.length > 0) {
    return chat.map((token) => ({ ...toChoice(token), top: listAt(token, 'top_logprobs').map(toChoice) }));
  }
  const values = listAt(raw, 'token_logprobs');
  const tops = listAt(raw, 'top_logprobs');
  return listAt(raw, 'tokens').map((token, index) => ({
    ...choiceOf(String(token), values[index]),
    top: Object.entries(isJson(tops[index]) ? tops[index] : {})
      .map(([text, value]) => choiceOf(text, value))
      .sort((a, b) => b.logprob - a.logprob),
  }));
}

function toChoice(raw: unknown): TokenChoice {
  const token = isJson(raw) ? raw : {};
  const bytes = listAt(token, 'bytes').filter((byte) => typeof byte === 'number');
  const choice = choiceOf(String(token['token'] ?? ''), token['logprob']);
  return bytes.length > 0 ? { ...choice, bytes } : choice;
}

function choiceOf(text: string, logprob: unknown): TokenChoice {
  // -9999 is OpenAI's word for "very unlikely", and what a first token of a prompt has is null.
  return { text, bytes: [...Buffer.from(text)], logprob: typeof logprob === 'number' ? logprob : -9999 };
}
