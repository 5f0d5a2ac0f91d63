import { toAppError } from '../../../core/errors.ts';
import type { FinishReason, StreamEvent } from '../../../core/events.ts';
import type { Usage } from '../../../core/usage.ts';
import { sseJson, sseRecord } from '../../../wire/sse.ts';
import { merge } from '../../answer/merge.ts';
import { errorObject } from './errors.ts';
import { sumUsage, toUsage } from './usage.ts';

/** What every chunk of an answer repeats. `created` is in seconds since the epoch. */
export interface AnswerHead {
  id: string;
  created: number;
  model: string;
}

export interface StreamOptions {
  includeUsage: boolean;
  /** Told of a failure in mid-stream, beside the client; ends what still runs. */
  onFailure(error: unknown): void;
}

/** Words one choice: the entries of `choices` that an event of its answer becomes, one record each. */
export type ChoiceWriter = (event: StreamEvent) => object[];

/**
 * The choices of one request as records of its event stream, in the order in which their events come; one usage of all
 * at the end. Never throws: a failure of any becomes a last record, without `[DONE]`.
 */
export async function* toRecords(
  head: AnswerHead & { object: string },
  choices: readonly AsyncIterable<StreamEvent>[],
  options: StreamOptions,
  writerOf: (index: number) => ChoiceWriter,
): AsyncGenerator<string> {
  const { id, object, created, model } = head;
  const writers = choices.map((_events, index) => writerOf(index));
  const usages: Usage[] = [];
  try {
    for await (const { index, item } of merge(choices)) {
      for (const choice of writers[index]!(item)) {
        yield sseJson({ id, object, created, model, choices: [choice], ...(options.includeUsage && { usage: null }) });
      }
      if (item.type === 'finish') usages.push(item.usage);
    }
    if (usages.length < choices.length) throw new Error('an event stream ended without a finish event');
    if (options.includeUsage) {
      yield sseJson({ id, object, created, model, choices: [], usage: toUsage(sumUsage(usages)) });
    }
    yield sseRecord('[DONE]');
  } catch (error) {
    options.onFailure(error);
    yield sseJson({ error: errorObject(toAppError(error)) });
  }
}

/** A cancelled answer has no word here; its client is gone, or the server ended it with what there was. */
export function toFinishReason(reason: FinishReason): 'stop' | 'length' | 'tool_calls' {
  return reason === 'cancelled' ? 'stop' : reason;
}
