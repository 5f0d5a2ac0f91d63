import type { AnswerEnd } from './chat-api.ts';

/** What one answer took. */
export interface AnswerStats {
  /** From the question to the first piece of the answer; null: none came. */
  firstPieceMs: number | null;
  totalMs: number;
  /** What the server says; null: it did not come so far. */
  end: AnswerEnd | null;
}

/** Tokens of the answer in a second, by the server's own clock; null: too few to tell. */
export function tokensPerSecond({ answerTokens, answerMs }: AnswerEnd): number | null {
  // The first of them came with the prompt.
  return answerTokens < 2 || answerMs <= 0 ? null : ((answerTokens - 1) * 1_000) / answerMs;
}

const seconds = (ms: number) => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

/** `12.3 tokens/s`; a dash where it is not known. */
export function rate(value: number | null): string {
  return value === null ? '-' : `${value < 100 ? value.toFixed(1) : Math.round(value)} tokens/s`;
}

/** What one answer took, a line each. */
export function statsLines({ firstPieceMs, totalMs, end }: AnswerStats): string[] {
  const first = firstPieceMs === null ? [] : [`first token  ${seconds(firstPieceMs)}`];
  if (end === null) return [...first, `total        ${seconds(totalMs)}, stopped before the end`];
  const { promptTokens, answerTokens, promptMs, answerMs, waitMs, reason } = end;
  return [
    ...first,
    `waited       ${seconds(waitMs)}`,
    `prompt       ${promptTokens} tokens, ${seconds(promptMs)}`,
    `answer       ${answerTokens} tokens, ${seconds(answerMs)}, ${rate(tokensPerSecond(end))}`,
    `total        ${seconds(totalMs)}${reason === 'length' ? ', ended by the limit or a full context' : ''}`,
  ];
}

/** The whole answer with what it took, for programs. Times in milliseconds. */
export function answerObject(answer: {
  model: string;
  provider: string;
  text: string;
  thinking: string;
  leftOutMessages: number;
  stats: AnswerStats;
}) {
  const { model, provider, text, thinking, leftOutMessages, stats } = answer;
  const { end } = stats;
  const whole = (ms: number | null) => (ms === null ? null : Math.round(ms));
  const perSecond = end && tokensPerSecond(end);
  return {
    model,
    provider,
    text,
    thinking: thinking === '' ? null : thinking,
    finish_reason: end?.reason ?? null,
    left_out_messages: leftOutMessages,
    usage: end && { prompt_tokens: end.promptTokens, completion_tokens: end.answerTokens },
    timings: {
      first_token_ms: whole(stats.firstPieceMs),
      wait_ms: whole(end?.waitMs ?? null),
      prompt_ms: whole(end?.promptMs ?? null),
      answer_ms: whole(end?.answerMs ?? null),
      total_ms: whole(stats.totalMs),
      tokens_per_second: perSecond === null ? null : Math.round(perSecond * 10) / 10,
    },
  };
}
