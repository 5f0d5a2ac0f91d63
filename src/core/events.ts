import { localProviderId } from './call.ts';
import { type AssistantPart, type Citation, type Dialect, type Extra, parseArguments } from './content.ts';
import { type Timings, type Usage, unknownTimings, unknownUsage } from './usage.ts';

/**
 * Why an answer ended, in no dialect's words. `stop_sequence`: at a text that the request named; `length`: at the
 * request's or the model's most tokens; `context_full`: the context had no room for more; `refusal`: the model would not;
 * `content_filter`: the provider would not let it; `paused`: the provider wants to be asked to go on, or goes on by itself; `cancelled` never
 * reaches a client that is still there.
 */
export type FinishReason =
  | 'stop'
  | 'stop_sequence'
  | 'length'
  | 'context_full'
  | 'tool_calls'
  | 'refusal'
  | 'content_filter'
  | 'paused'
  | 'cancelled';

/**
 * The reason in the words that OpenAI's dialect, ours and the metrics have in common, where finer ones do not exist. A
 * pause is no end, but they know no other word for one.
 */
export function coarseReason(reason: FinishReason): 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'cancelled' {
  switch (reason) {
    case 'stop_sequence':
    case 'paused':
      return 'stop';
    case 'context_full':
      return 'length';
    case 'refusal':
      return 'content_filter';
    default:
      return reason;
  }
}

/** A part of a request that the provider did not honour, and why; `field` is its path in the `ChatRequest`, or null. */
export interface Warning {
  field: string | null;
  message: string;
}

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

/** How one choice of an answer ended. */
export interface Ending {
  reason: FinishReason;
  /** The provider's own word for it; null: it has none. */
  rawReason: string | null;
  /** The stop string that ended it, or null. */
  stopSequence: string | null;
}

/** What becomes of a request before its answer begins, or while its prompt is read. */
export type Progress =
  /** `place`: 1 is the next; `estimateMs`: until its turn, as far as it can be known. */
  | { type: 'progress'; stage: 'queued'; place: number; estimateMs: number | null }
  | { type: 'progress'; stage: 'loading' }
  /** All who were asked failed, and those that may do better later are asked again after this wait. */
  | { type: 'progress'; stage: 'retrying'; waitMs: number }
  | { type: 'progress'; stage: 'prompt'; readTokens: number; totalTokens: number };

/** Content of an answer. Each block has an id of its own; those of one choice come one after the other. */
export type BlockEvent = { blockId: number; choice?: number } & (
  | { type: 'text-start' }
  | { type: 'text-delta'; text: string }
  | { type: 'citation'; citation: Citation }
  | { type: 'text-end' }
  | { type: 'reasoning-start' }
  | { type: 'reasoning-delta'; text: string }
  /** `signature`: proves to its maker that the text is its own; null: it signs nothing. */
  | { type: 'reasoning-end'; signature: string | null }
  /** Reasoning that only its maker can read, whole. */
  | { type: 'redacted-reasoning'; data: string }
  | { type: 'tool-call-start'; id: string; name: string }
  | { type: 'tool-call-delta'; argumentsText: string }
  | { type: 'tool-call-end' }
  /** A block that only a provider of that dialect understands, whole. */
  | { type: 'opaque'; dialect: Dialect; block: unknown }
);

/**
 * The one vocabulary between dialects and providers. An answer is `start`, then blocks
 * (`…-start`, `…-delta`*, `…-end` with the same `blockId`), then `finish`. `progress` comes before the first block.
 * With `choices` above 1 events carry the number of their choice (left out: 0), blocks of different choices may come in
 * turn, and every choice ends with a `choice-end` before the one `finish`. A failure is not an event: the iterable throws
 * an `AppError`.
 */
export type StreamEvent =
  | Progress
  | {
      type: 'start';
      /** The provider's own id of the answer; null: it has none. */
      responseId: string | null;
      model: string;
      /** What is known of the prompt by now. */
      usage: Usage;
      warnings: readonly Warning[];
      /** Names the software and the weights that answer: equal ones answer a seed alike. Left out: unknown. */
      fingerprint?: string;
    }
  /** Tokens just generated, in order, when the request asked for log probabilities; comes before their text. */
  | { type: 'logprobs'; tokens: TokenLogprob[]; choice?: number }
  | BlockEvent
  | ({ type: 'choice-end'; choice: number } & Ending)
  | ({
      type: 'finish';
      /** Of all choices. */
      usage: Usage;
      timings: Timings;
      /** What the provider says of the end beside that, by dialect. */
      extra?: Extra;
      /** Of the prompt and the answer, where the request wanted them and the provider knows them. */
      tokens?: readonly number[];
    } & Ending);

/**
 * An answer in the client's own dialect, as its provider sends it: one `relay-head` before anything else, then every byte
 * of the body in order. Only for a request whose `original` may pass as it came. What is understood of the bytes is told with
 * them, or comes as `StreamEvent`s after them, for meters; clients get the bytes and nothing else.
 */
export type RelayEvent =
  | {
      type: 'relay-head';
      /** Of a success; a failure is thrown as an `AppError` with its `upstream`. */
      status: number;
      /** Those that mean something to the client, in lower case; `content-type` is always there. */
      headers: Readonly<Record<string, string>>;
    }
  | {
      type: 'relay';
      bytes: Uint8Array;
      /** Of these bytes, or of those before them, in order; with the bytes, as each event by itself takes as long as they do. */
      heard?: readonly StreamEvent[];
    };

/** What a provider gives: an answer in the common words, or one that is relayed and told of in them. */
export type ProviderEvent = StreamEvent | RelayEvent;

/** The events that are content: from the first of them that opens more than an empty block an answer belongs to its provider for good. */
export function isContent(event: ProviderEvent): boolean {
  return event.type !== 'progress' && event.type !== 'start' && !isRelay(event);
}

/** Whether it is a piece of an answer that passes as it came. */
export function isRelay(event: ProviderEvent): event is RelayEvent {
  return event.type === 'relay-head' || event.type === 'relay';
}

const nothingHeard: readonly StreamEvent[] = [];

/** What a piece of an answer says in the common words. */
export function heardOf(event: ProviderEvent): readonly StreamEvent[] {
  if (event.type === 'relay') return event.heard ?? nothingHeard;
  return event.type === 'relay-head' ? nothingHeard : [event];
}

/** One choice of an answer: its blocks in order, and how it ended. */
export interface AnswerChoice extends Ending {
  blocks: AssistantPart[];
  /** Every generated token, when log probabilities were asked for. */
  logprobs: TokenLogprob[];
}

/** A whole answer: the fold of its events. Texts and calls are views of the blocks (`textOf`, `toolCallsOf`). */
export interface Answer {
  responseId: string | null;
  model: string;
  warnings: readonly Warning[];
  /** As many as were asked for, at least one. */
  choices: [AnswerChoice, ...AnswerChoice[]];
  usage: Usage;
  timings: Timings;
  extra?: Extra;
  tokens?: readonly number[];
}

const open: Ending = { reason: 'stop', rawReason: null, stopSequence: null };

/**
 * Folds a stream into the answer that a non-streaming dialect returns. `origin`: who gives it, for its reasoning.
 * Throws whatever the stream throws. A stream that ends without `finish` is a bug of its provider and throws.
 */
export async function foldEvents(events: AsyncIterable<ProviderEvent>, providerId = localProviderId): Promise<Answer> {
  const newChoice = (): AnswerChoice => ({ blocks: [], logprobs: [], ...open });
  const answer: Answer = {
    responseId: null,
    model: '',
    warnings: [],
    choices: [newChoice()],
    usage: unknownUsage,
    timings: unknownTimings,
  };
  const choiceOf = (index = 0): AnswerChoice => {
    while (answer.choices.length <= index) answer.choices.push(newChoice());
    return answer.choices[index]!;
  };
  const fold = createBlockFold(
    (index) => choiceOf(index).blocks,
    () => ({ provider: providerId, model: answer.model }),
  );
  const ended = new Set<number>();
  let finished = false;
  const foldEvent = (event: StreamEvent) => {
    switch (event.type) {
      case 'progress':
        break;
      case 'start':
        answer.responseId = event.responseId;
        answer.model = event.model;
        answer.warnings = event.warnings;
        break;
      case 'logprobs':
        choiceOf(event.choice).logprobs.push(...event.tokens);
        break;
      case 'choice-end': {
        const { reason, rawReason, stopSequence } = event;
        Object.assign(choiceOf(event.choice), { reason, rawReason, stopSequence });
        ended.add(event.choice);
        break;
      }
      case 'finish': {
        const { reason, rawReason, stopSequence } = event;
        if (!ended.has(0)) Object.assign(answer.choices[0], { reason, rawReason, stopSequence });
        answer.usage = event.usage;
        answer.timings = event.timings;
        if (event.extra) answer.extra = event.extra;
        if (event.tokens) answer.tokens = event.tokens;
        finished = true;
        break;
      }
      default:
        fold(event);
    }
  };
  for await (const piece of events) for (const event of heardOf(piece)) foldEvent(event);
  if (!finished) throw new Error('the event stream ended without a finish event');
  return answer;
}

/** Adds block events to the blocks of their choices. */
function createBlockFold(
  blocksOf: (choice: number | undefined) => AssistantPart[],
  originOf: () => { provider: string; model: string },
): (event: BlockEvent) => void {
  const openBlocks = new Map<number, AssistantPart>();
  const begin = (event: BlockEvent, block: AssistantPart) => {
    openBlocks.set(event.blockId, block);
    blocksOf(event.choice).push(block);
  };
  /** The open block of an event, which must be of that type. */
  const openOf = <Type extends AssistantPart['type']>(event: BlockEvent, type: Type) => {
    const block = openBlocks.get(event.blockId);
    if (block?.type !== type) throw new Error(`a "${event.type}" came without its "${type}" block`);
    return block as Extract<AssistantPart, { type: Type }>;
  };
  return (event) => {
    switch (event.type) {
      case 'text-start':
        return begin(event, { type: 'text', text: '' });
      case 'text-delta':
        openOf(event, 'text').text += event.text;
        return;
      case 'citation': {
        const block = openOf(event, 'text');
        block.citations = [...(block.citations ?? []), event.citation];
        return;
      }
      case 'reasoning-start':
        return begin(event, { type: 'reasoning', text: '', signature: null, redactedData: null, origin: originOf() });
      case 'reasoning-delta':
        openOf(event, 'reasoning').text += event.text;
        return;
      case 'reasoning-end':
        openOf(event, 'reasoning').signature = event.signature;
        openBlocks.delete(event.blockId);
        return;
      case 'redacted-reasoning':
        blocksOf(event.choice).push({
          type: 'reasoning',
          text: '',
          signature: null,
          redactedData: event.data,
          origin: originOf(),
        });
        return;
      case 'tool-call-start':
        return begin(event, { type: 'tool-call', id: event.id, name: event.name, arguments: {}, argumentsText: '' });
      case 'tool-call-delta': {
        const call = openOf(event, 'tool-call');
        call.argumentsText = (call.argumentsText ?? '') + event.argumentsText;
        return;
      }
      case 'tool-call-end': {
        const call = openOf(event, 'tool-call');
        call.arguments = parseArguments(call.argumentsText ?? '');
        openBlocks.delete(event.blockId);
        return;
      }
      case 'text-end':
        openBlocks.delete(event.blockId);
        return;
      case 'opaque':
        blocksOf(event.choice).push({ type: 'opaque', dialect: event.dialect, block: event.block });
    }
  };
}

/**
 * Tells the events of choice `choice` apart from those of the others: block ids of one counter, the number of the choice
 * on each. For a provider that makes the choices of one answer one by one.
 */
export function createChoiceTagger(): (choice: number, event: BlockEvent) => BlockEvent {
  const ids = new Map<string, number>();
  return (choice, event) => {
    const key = `${choice} ${event.blockId}`;
    let blockId = ids.get(key);
    if (blockId === undefined) {
      blockId = ids.size;
      ids.set(key, blockId);
    }
    return { ...event, blockId, choice };
  };
}
