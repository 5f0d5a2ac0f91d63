import type { ToolCall } from './chat.ts';
import { type Timings, type Usage, unknownTimings, unknownUsage } from './usage.ts';

/** Why an answer ended. `tool_calls`: the model asks for tools; `cancelled` never reaches a client that is still there. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'cancelled';

/** A candidate for one place of the answer. `bytes` are exact where `text` may show U+FFFD for part of a character. */
export interface TokenChoice {
  text: string;
  bytes: number[];
  /** Natural logarithm of the probability at temperature 1. */
  logprob: number;
}

/** One generated token with the likeliest alternatives, best first. */
export interface TokenLogprob extends TokenChoice {
  top: TokenChoice[];
}

/**
 * The one vocabulary between dialects and providers. An answer is `start`, then blocks one at a time
 * (`…-start`, `…-delta`*, `…-end` with the same `blockId`, ids 0, 1, 2 …), then `finish`; `progress` may come anywhere
 * before the first block. A failure is not an event: the iterable throws an `AppError`.
 */
export type StreamEvent =
  | { type: 'progress'; stage: 'queued' | 'loading' | 'prefill'; position?: number }
  | { type: 'start'; model: string; promptTokens: number | null; cachedPromptTokens: number | null }
  /** Tokens just generated, in order, when the request asked for log probabilities; comes before their text. */
  | { type: 'logprobs'; tokens: TokenLogprob[] }
  | { type: 'text-start'; blockId: number }
  | { type: 'text-delta'; blockId: number; text: string }
  | { type: 'text-end'; blockId: number }
  | { type: 'reasoning-start'; blockId: number }
  | { type: 'reasoning-delta'; blockId: number; text: string }
  | { type: 'reasoning-end'; blockId: number }
  | { type: 'tool-call-start'; blockId: number; id: string; name: string }
  | { type: 'tool-call-delta'; blockId: number; argumentsText: string }
  | { type: 'tool-call-end'; blockId: number }
  | {
      type: 'finish';
      reason: FinishReason;
      /** The stop string that ended the answer, or null. */
      stopSequence: string | null;
      usage: Usage;
      timings: Timings;
    };

/** A whole answer: the fold of its events. */
export interface Answer {
  model: string;
  text: string;
  reasoning: string;
  toolCalls: ToolCall[];
  /** Argument text of each tool call as the provider gave it, in the order of `toolCalls`. */
  toolCallArguments: string[];
  /** Every generated token, when log probabilities were asked for. */
  logprobs: TokenLogprob[];
  reason: FinishReason;
  stopSequence: string | null;
  usage: Usage;
  timings: Timings;
}

/**
 * Folds a stream into the answer that a non-streaming dialect returns.
 * Throws whatever the stream throws. A stream that ends without `finish` is a bug of its provider and throws.
 */
export async function foldEvents(events: AsyncIterable<StreamEvent>): Promise<Answer> {
  const answer: Answer = {
    model: '',
    text: '',
    reasoning: '',
    toolCalls: [],
    toolCallArguments: [],
    logprobs: [],
    reason: 'stop',
    stopSequence: null,
    usage: unknownUsage,
    timings: unknownTimings,
  };
  let finished = false;
  for await (const event of events) {
    switch (event.type) {
      case 'start':
        answer.model = event.model;
        break;
      case 'logprobs':
        answer.logprobs.push(...event.tokens);
        break;
      case 'text-delta':
        answer.text += event.text;
        break;
      case 'reasoning-delta':
        answer.reasoning += event.text;
        break;
      case 'tool-call-start':
        answer.toolCalls.push({ id: event.id, name: event.name, arguments: {} });
        answer.toolCallArguments.push('');
        break;
      case 'tool-call-delta':
        answer.toolCallArguments[answer.toolCallArguments.length - 1] += event.argumentsText;
        break;
      case 'tool-call-end': {
        const call = answer.toolCalls.at(-1);
        if (call) call.arguments = parseArguments(answer.toolCallArguments.at(-1) ?? '');
        break;
      }
      case 'finish':
        answer.reason = event.reason;
        answer.stopSequence = event.stopSequence;
        answer.usage = event.usage;
        answer.timings = event.timings;
        finished = true;
        break;
      default:
        break;
    }
  }
  if (!finished) throw new Error('the event stream ended without a finish event');
  return answer;
}

/** Parses a tool call's arguments; text that is not a JSON object gives an empty object (the raw text stays available). */
function parseArguments(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    // A model may write broken JSON; providers only emit parsed calls, so this is a foreign provider's slip.
    return {};
  }
}
