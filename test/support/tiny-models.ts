import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyModels } from '../../scripts/tiny-models/models.ts';
import { postJson } from './client.ts';

/** Writes all tiny models into a temporary folder. */
export async function makeTinyModels(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-tiny-'));
  await writeTinyModels(folder);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** `count` letters, the same for the same seed. Each is one token of a tiny model once `promptOf` put them in a row. */
export function letters(count: number, seed: number): string[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    // A linear congruential generator (the constants of ANSI C); its upper bits are the random ones.
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return String.fromCharCode(97 + ((state >>> 16) % 26));
  });
}

export const promptOf = (row: readonly string[]) => row.map((letter) => ` ${letter}`).join('');

export interface TinyAnswer {
  text: string;
  finishReason: string;
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
  /** With `logprobs` only: the tokens of the answer, and by how many nats each was ahead of the next best. */
  tokens: { text: string; lead: number }[];
}

/** Continues a text greedily. Rejects unless the server answers 200. */
export async function complete(
  baseUrl: string,
  request: { model: string; prompt: string; max_tokens?: number; logprobs?: 2; cache_prompt?: false },
): Promise<TinyAnswer> {
  const { status, body } = await postJson(`${baseUrl}/v1/completions`, { ...request, temperature: 0 });
  if (status !== 200) throw new Error(`status ${status}: ${JSON.stringify(body)}`);
  const { choices, usage } = body as {
    choices: {
      text: string;
      finish_reason: string;
      logprobs: { tokens: string[]; top_logprobs: Record<string, number>[] } | null;
    }[];
    usage: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details: { cached_tokens: number } };
  };
  const { text, finish_reason, logprobs } = choices[0]!;
  return {
    text,
    finishReason: finish_reason,
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    tokens: (logprobs?.tokens ?? []).map((token, index) => {
      const [best = 0, next = Number.NEGATIVE_INFINITY] = Object.values(logprobs!.top_logprobs[index]!);
      return { text: token, lead: best - next };
    }),
  };
}

/** Below this lead, in nats, rounding may decide: another batch shape may give another token. */
const closeCall = 0.1;

/**
 * The part of an answer that no rounding can change: its tokens before the first close call. Compared with that much of
 * another answer, it is the whole comparison that greedy decoding allows.
 */
export function certainText(answer: TinyAnswer): string {
  const end = answer.tokens.findIndex(({ lead }) => lead < closeCall);
  return (end === -1 ? answer.tokens : answer.tokens.slice(0, end)).map(({ text }) => text).join('');
}
