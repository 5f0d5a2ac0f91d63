import { parseArguments, type ToolCallPart } from '../../../core/content.ts';
import type { FinishReason, StreamEvent, TokenChoice, TokenLogprob } from '../../../core/events.ts';
import { promptTokensOf, type Timings, type Usage } from '../../../core/usage.ts';

/** What every line of an answer begins with. */
export interface Head {
  /** As the client wrote it. */
  model: string;
  now(): Date;
  /** Milliseconds since the request came. */
  elapsedMs(): number;
  /** Part of it that went into loading the model before the answer was asked for. */
  preparedMs: number;
}

/** A part of an answer in the words of this dialect. */
export type Piece =
  | { type: 'text' | 'thinking'; text: string }
  | { type: 'call'; call: ReturnType<typeof toCall> }
  | { type: 'end' };

/** The last line, as far as all answers have it in common. */
export interface Ending {
  done: true;
  done_reason: 'stop' | 'length';
  total_duration: number;
  load_duration: number;
  prompt_eval_count: number;
  prompt_eval_duration: number;
  eval_count: number;
  eval_duration: number;
}

export const beginLine = ({ model, now }: Pick<Head, 'model' | 'now'>) => ({ model, created_at: now().toISOString() });

/** How this dialect says that a call ended an answer: not at all. */
export function toDoneReason(reason: FinishReason): 'stop' | 'length' {
  return reason === 'length' || reason === 'context_full' ? 'length' : 'stop';
}

const nanoseconds = (ms: number | null) => Math.max(0, Math.round((ms ?? 0) * 1e6));

/** Counts, and times that add up: the parts are never more than the total. */
export function toEnding(
  head: Pick<Head, 'elapsedMs' | 'preparedMs'>,
  { reason, usage, timings }: { reason: FinishReason; usage: Usage; timings: Timings },
): Ending {
  const load_duration = nanoseconds((timings.queueMs ?? 0) + head.preparedMs);
  const prompt_eval_duration = nanoseconds(timings.prefillMs);
  const eval_duration = nanoseconds(timings.decodeMs);
  return {
    done: true,
    done_reason: toDoneReason(reason),
    total_duration: Math.max(nanoseconds(head.elapsedMs()), load_duration + prompt_eval_duration + eval_duration),
    load_duration,
    prompt_eval_count: promptTokensOf(usage) ?? 0,
    prompt_eval_duration,
    eval_count: usage.outputTokens ?? 0,
    eval_duration,
  };
}

/** A call with its arguments as an object. */
export function toCall({ id, name }: Pick<ToolCallPart, 'id' | 'name'>, index: number, given: Record<string, unknown>) {
  return { id, function: { index, name, arguments: given } };
}

/** Log probabilities as this dialect has them. */
export function toLogprobs(tokens: readonly TokenLogprob[]) {
  const choice = ({ text, bytes, logprob }: TokenChoice) => ({ token: text, logprob, bytes });
  return tokens.map((token) => ({
    ...choice(token),
    ...(token.top.length > 0 && { top_logprobs: token.top.map(choice) }),
  }));
}

/**
 * An answer as lines. `line`: words one piece; `ending`: what the last line has beside that. A call is one line, when all
 * of it is there. Log probabilities stand in the line that shows what their tokens wrote.
 */
export async function* toLines(
  head: Head,
  events: AsyncIterable<StreamEvent>,
  line: (piece: Piece) => object,
  ending: (finish: Extract<StreamEvent, { type: 'finish' }>) => object = () => ({}),
): AsyncGenerator<object> {
  let waiting: TokenLogprob[] = [];
  let callText = '';
  let called = { id: '', name: '' };
  let calls = 0;
  const { model } = head;
  // Once for each token: as little as may be is copied.
  const worded = (piece: Piece): object => {
    const written = { model, created_at: head.now().toISOString(), ...line(piece), done: false };
    if (waiting.length === 0) return written;
    const logprobs = toLogprobs(waiting);
    waiting = [];
    return { ...written, logprobs };
  };
  for await (const event of events) {
    switch (event.type) {
      case 'logprobs':
        waiting.push(...event.tokens);
        break;
      case 'text-delta':
        if (event.text !== '') yield worded({ type: 'text', text: event.text });
        break;
      case 'reasoning-delta':
        if (event.text !== '') yield worded({ type: 'thinking', text: event.text });
        break;
      case 'tool-call-start':
        callText = '';
        called = { id: event.id, name: event.name };
        break;
      case 'tool-call-delta':
        callText += event.argumentsText;
        break;
      case 'tool-call-end':
        yield worded({ type: 'call', call: toCall(called, calls++, parseArguments(callText)) });
        break;
      case 'finish':
        yield { ...worded({ type: 'end' }), ...toEnding(head, event), ...ending(event) };
        break;
    }
  }
}
