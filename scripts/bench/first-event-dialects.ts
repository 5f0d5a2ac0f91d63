import type { TimedChunk } from './sse.ts';

/** A dialect's stream, and how its first token and its sign of life look in the bytes. */
export interface EarlyDialect {
  name: string;
  path: string;
  headers?: Record<string, string>;
  body(model: string, prompt: string): object;
  token: RegExp;
  ping: RegExp;
}

const maxTokens = 8;
const messages = (content: string) => [{ role: 'user', content }];
const comment = /^: /m;
/** Ollama's streams have no sign of life. */
const never = /(?!)/;

export const earlyDialects: readonly EarlyDialect[] = [
  {
    name: 'Anthropic messages',
    path: '/v1/messages',
    headers: { 'anthropic-version': '2023-06-01' },
    body: (model, prompt) => ({ model, messages: messages(prompt), max_tokens: maxTokens, stream: true }),
    token: /"type":"text_delta"/,
    ping: /^event: ping$/m,
  },
  {
    name: 'OpenAI chat',
    path: '/v1/chat/completions',
    body: (model, prompt) => ({ model, messages: messages(prompt), max_tokens: maxTokens, stream: true }),
    token: /"delta":\{"content":"[^"]/,
    ping: comment,
  },
  {
    name: 'OpenAI responses',
    path: '/v1/responses',
    body: (model, prompt) => ({ model, input: prompt, max_output_tokens: maxTokens, store: false, stream: true }),
    token: /^event: response\.output_text\.delta$/m,
    ping: comment,
  },
  {
    name: 'Ollama chat',
    path: '/api/chat',
    body: (model, prompt) => ({ model, messages: messages(prompt), options: { num_predict: maxTokens } }),
    token: /"content":"[^"]/,
    ping: never,
  },
  {
    name: 'native /generate/stream',
    path: '/generate/stream',
    body: (model, prompt) => ({ model, prompt, max_tokens: maxTokens }),
    token: /"token":"[^"]/,
    ping: comment,
  },
];

/** When the bytes that complete the first match were there; null: there is none. */
export function matchMs(chunks: readonly TimedChunk[], pattern: RegExp): number | null {
  let text = '';
  for (const { bytes, atMs } of chunks) {
    // Patterns are ASCII, so a character that is cut between two chunks does no harm.
    text += Buffer.from(bytes).toString('latin1');
    if (pattern.test(text)) return atMs;
  }
  return null;
}

/** The longest time within the window in which no byte came. */
export function longestSilenceMs(
  chunks: readonly TimedChunk[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): number {
  const times = [fromMs, ...chunks.map(({ atMs }) => atMs).filter((atMs) => atMs > fromMs && atMs < toMs), toMs];
  return Math.max(...times.slice(1).map((time, index) => time - times[index]!));
}
