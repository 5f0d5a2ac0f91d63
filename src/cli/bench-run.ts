import type { BenchModel, TimedAnswer, TimedWish } from './bench-api.ts';

/** Prompts that are measured, in tokens. */
const promptSizes = [128, 512] as const;
/** Left of the context for what a template adds. */
const spareTokens = 32;
/** Of the prompt that tells how many tokens a word has, and of those whose answers are measured. */
const warmWords = 96;
const answeredWords = 16;

export interface PromptResult {
  wanted_tokens: number;
  prompt_tokens: number;
  tokens_per_second: number;
  first_token_ms: number;
}

export interface DecodeResult {
  streams: number;
  /** All streams together. */
  tokens_per_second: number;
  /** Of one of them. */
  tokens_per_second_each: number;
  first_token_ms: number;
}

export interface BenchResult {
  prompts: PromptResult[];
  decode: DecodeResult[];
  /** What was left out and why, one sentence each. */
  notes: string[];
}

interface BenchDeps {
  answer: (wish: TimedWish) => Promise<TimedAnswer>;
  /** Whole random numbers from 0 below `limit`. */
  random: (limit: number) => number;
  /** Called with what is measured next. */
  onStep: (what: string) => void;
}

/**
 * Measures a loaded model over HTTP: how fast it reads prompts and writes, alone and with several at a time. Each figure is the
 * median of `rounds`. Prompts are random, so that nothing is known of them from before.
 */
export async function runBench(
  { answer, random, onStep }: BenchDeps,
  model: BenchModel,
  { rounds, tokens, streams }: { rounds: number; tokens: number; streams: number },
): Promise<BenchResult> {
  const name = `${model.name}:${model.quantization}`;
  const context = model.context_length_loaded ?? Number.POSITIVE_INFINITY;
  const notes: string[] = [];
  const ask = (words: number, wanted: number) =>
    answer({ model: name, prompt: promptOf(words, random), tokens: wanted });
  // The first answer after a load pays for what no other does; it also tells how many tokens a word has.
  onStep('warming up');
  const warm = await ask(warmWords, 8);
  const tokensPerWord = Math.max(1, warm.promptTokens / warmWords);
  const wordsFor = (size: number) => Math.max(1, Math.round(size / tokensPerWord));

  const prompts: PromptResult[] = [];
  for (const size of promptSizes) {
    if (size + spareTokens > context) {
      notes.push(`A prompt of ${size} tokens does not fit into the context of ${context}.`);
      continue;
    }
    onStep(`a prompt of ${size} tokens`);
    const answers: TimedAnswer[] = [];
    for (let round = 0; round < rounds; round++) answers.push(await ask(wordsFor(size), 1));
    if (answers.some(({ cachedTokens }) => cachedTokens > 0))
      notes.push(`A part of a prompt of ${size} tokens was known before.`);
    prompts.push({
      wanted_tokens: size,
      prompt_tokens: Math.round(median(answers.map(({ promptTokens }) => promptTokens))),
      tokens_per_second: rounded(median(answers.map((one) => (one.promptTokens * 1_000) / one.firstTokenMs))),
      first_token_ms: rounded(median(answers.map(({ firstTokenMs }) => firstTokenMs))),
    });
  }

  const decode: DecodeResult[] = [];
  const written = Math.min(tokens, Math.max(2, context - 2 * answeredWords * Math.ceil(tokensPerWord) - spareTokens));
  for (const count of streams > 1 ? [1, streams] : [1]) {
    onStep(count === 1 ? 'one answer' : `${count} answers at a time`);
    const results: DecodeResult[] = [];
    for (let round = 0; round < rounds; round++) {
      const answers = await Promise.all(Array.from({ length: count }, () => ask(answeredWords, written)));
      results.push(decodeOf(answers));
    }
    decode.push({
      streams: count,
      tokens_per_second: rounded(median(results.map((one) => one.tokens_per_second))),
      tokens_per_second_each: rounded(median(results.map((one) => one.tokens_per_second_each))),
      first_token_ms: rounded(median(results.map((one) => one.first_token_ms))),
    });
  }
  return { prompts, decode, notes };
}

/** The first token of each is the end of its prompt, and counts as no answer yet. */
function decodeOf(answers: readonly TimedAnswer[]): DecodeResult {
  const each = answers.map((one) => ((one.tokens - 1) * 1_000) / Math.max(1, one.lastTokenMs - one.firstTokenMs));
  const firstMs = Math.min(...answers.map(({ firstTokenMs }) => firstTokenMs));
  const lastMs = Math.max(...answers.map(({ lastTokenMs }) => lastTokenMs));
  const tokens = answers.reduce((sum, one) => sum + one.tokens - 1, 0);
  return {
    streams: answers.length,
    tokens_per_second: (tokens * 1_000) / Math.max(1, lastMs - firstMs),
    tokens_per_second_each: median(each),
    first_token_ms: median(answers.map(({ firstTokenMs }) => firstTokenMs)),
  };
}

/** Usual words in an order that never was. */
const words =
  'the of and to in is that it was for on are as with they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know'.split(
    ' ',
  );

function promptOf(count: number, random: (limit: number) => number): string {
  return Array.from({ length: count }, () => words[random(words.length)]).join(' ');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const rounded = (value: number) => Math.round(value * 10) / 10;
