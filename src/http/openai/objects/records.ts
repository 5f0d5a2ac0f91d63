import {
  type Answer,
  type AnswerChoice,
  coarseReason,
  type Ending,
  type FinishReason,
  type StreamEvent,
} from '../../../core/events.ts';
import type { Usage } from '../../../core/usage.ts';
import type { SseItem } from '../../answer/answer.ts';
import { toUsage } from './usage.ts';

/** What every chunk of an answer repeats. `created` is in seconds since the epoch. */
export interface AnswerHead {
  id: string;
  created: number;
  model: string;
  /** Left out where the provider does not tell. */
  system_fingerprint?: string;
  /** Only where one was asked for: the one that answers, as far as it is known. */
  service_tier?: string;
}

export interface StreamOptions {
  /** How many were asked for. */
  choices: number;
  includeUsage: boolean;
  /** A clock in milliseconds, for a stream that tells how far the prompt is read; null: it does not. */
  progressClock: (() => number) | null;
}

/** An event of one choice; its end is the same whether it is told by a `choice-end` or by the `finish` of them all. */
type ChoiceEvent = Exclude<StreamEvent, { type: 'finish' | 'choice-end' }> | ({ type: 'end' } & Ending);

/** Words one choice: the entries of `choices` that an event of it becomes, one record each. */
export type ChoiceWriter = (event: ChoiceEvent) => object[];

/** A whole answer. `wordChoice`: what a choice holds beside its place. */
export function toWhole<ObjectName extends string, Content>(
  head: AnswerHead & { object: ObjectName },
  answer: Answer,
  wordChoice: (choice: AnswerChoice, index: number) => Content,
) {
  return {
    ...repeatedOf(servedBy(head, answer.usage)),
    choices: answer.choices.map((choice, index) => ({ index, ...wordChoice(choice, index) })),
    usage: toUsage(answer.usage),
  };
}

function servedBy<Head extends AnswerHead>(head: Head, { servedTier }: Usage): Head {
  return head.service_tier === undefined || servedTier === null ? head : { ...head, service_tier: servedTier };
}

/** What whole answers and all chunks begin with, in OpenAI's order. */
function repeatedOf<ObjectName extends string>({
  id,
  object,
  created,
  model,
  service_tier,
  system_fingerprint,
}: AnswerHead & { object: ObjectName }) {
  return {
    id,
    object,
    created,
    model,
    ...(service_tier !== undefined && { service_tier }),
    ...(system_fingerprint !== undefined && { system_fingerprint }),
  };
}

/**
 * The choices of one answer as records of its event stream, in the order in which their events come; the usage of all at
 * the end. Throws whatever the events throw.
 */
export async function* toRecords(
  head: AnswerHead & { object: string },
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions,
  writerOf: (index: number) => ChoiceWriter,
): AsyncGenerator<SseItem> {
  const repeated = repeatedOf(head);
  const writers = Array.from({ length: options.choices }, (_, index) => writerOf(index));
  const ended = new Set<number>();
  const usage = options.includeUsage && { usage: null };
  const write = (index: number, event: ChoiceEvent): { data: object }[] =>
    writers[index]!(event).map((choice) => ({ data: { ...repeated, choices: [choice], ...usage } }));
  const progress = options.progressClock && createPromptProgress(options.progressClock);
  let finished = false;
  const toItems = (event: StreamEvent): SseItem[] => {
    switch (event.type) {
      case 'progress':
        if (!progress || event.stage !== 'prompt') return [];
        return write(0, event).map(({ data }) => ({ data: { ...data, prompt_progress: progress.at(event) } }));
      case 'start':
        progress?.begin(event.usage);
        return writers.flatMap((_writer, index) => write(index, event));
      case 'choice-end':
        ended.add(event.choice);
        return write(event.choice, { ...event, type: 'end' });
      case 'finish':
        finished = true;
        return [
          ...(ended.has(0) ? [] : write(0, { ...event, type: 'end' })),
          ...(options.includeUsage ? [{ data: { ...repeated, choices: [], usage: toUsage(event.usage) } }] : []),
        ];
      default:
        return write(event.choice ?? 0, event);
    }
  };
  // One by one: `yield*` of a list costs an asynchronous generator several turns for each item.
  for await (const event of events) for (const item of toItems(event)) yield item;
  if (!finished) throw new Error('the event stream ended without a finish event');
  yield { data: '[DONE]' };
}

/** How far a prompt is read, as llama-server words it: `processed` of `total` tokens, the `cache`d ones among them. */
function createPromptProgress(nowMs: () => number) {
  let cache = 0;
  let beganMs = nowMs();
  return {
    begin(usage: Usage) {
      cache = usage.cacheReadTokens ?? 0;
      beganMs = nowMs();
    },
    at: ({ readTokens, totalTokens }: { readTokens: number; totalTokens: number }) => ({
      total: totalTokens,
      cache,
      processed: readTokens,
      time_ms: Math.round(nowMs() - beganMs),
    }),
  };
}

/** A cancelled answer has no word here; its client is gone, or the server ended it with what there was. */
export function toFinishReason(reason: FinishReason): 'stop' | 'length' | 'tool_calls' | 'content_filter' {
  const coarse = coarseReason(reason);
  return coarse === 'cancelled' ? 'stop' : coarse;
}
