import { toAppError } from '../../../core/errors.ts';
import { coarseReason, type Ending, type FinishReason, type StreamEvent } from '../../../core/events.ts';
import { sseJson, sseRecord } from '../../../wire/sse.ts';
import { errorObject } from './errors.ts';
import { toUsage } from './usage.ts';

/** What every chunk of an answer repeats. `created` is in seconds since the epoch. */
export interface AnswerHead {
  id: string;
  created: number;
  model: string;
}

export interface StreamOptions {
  /** How many were asked for. */
  choices: number;
  includeUsage: boolean;
  /** Told of a failure in mid-stream, beside the client; ends what still runs. */
  onFailure(error: unknown): void;
}

/** An event of one choice; its end is the same whether it is told by a `choice-end` or by the `finish` of them all. */
export type ChoiceEvent =
  | Exclude<StreamEvent, { type: 'progress' | 'finish' | 'choice-end' }>
  | ({ type: 'end' } & Ending);

/** Words one choice: the entries of `choices` that an event of it becomes, one record each. */
export type ChoiceWriter = (event: ChoiceEvent) => object[];

/**
 * The choices of one answer as records of its event stream, in the order in which their events come; the usage of all at
 * the end. Never throws: a failure becomes a last record, without `[DONE]`.
 */
export async function* toRecords(
  head: AnswerHead & { object: string },
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions,
  writerOf: (index: number) => ChoiceWriter,
): AsyncGenerator<string> {
  const { id, object, created, model } = head;
  const writers = Array.from({ length: options.choices }, (_, index) => writerOf(index));
  const ended = new Set<number>();
  const write = (index: number, event: ChoiceEvent) =>
    writers[index]!(event).map((choice) =>
      sseJson({ id, object, created, model, choices: [choice], ...(options.includeUsage && { usage: null }) }),
    );
  let finished = false;
  try {
    for await (const event of events) {
      switch (event.type) {
        case 'progress':
          break;
        case 'start':
          for (const index of writers.keys()) yield* write(index, event);
          break;
        case 'choice-end':
          ended.add(event.choice);
          yield* write(event.choice, { ...event, type: 'end' });
          break;
        case 'finish': {
          finished = true;
          if (!ended.has(0)) yield* write(0, { ...event, type: 'end' });
          if (options.includeUsage) {
            yield sseJson({ id, object, created, model, choices: [], usage: toUsage(event.usage) });
          }
          break;
        }
        default:
          yield* write(event.choice ?? 0, event);
      }
    }
    if (!finished) throw new Error('the event stream ended without a finish event');
    yield sseRecord('[DONE]');
  } catch (error) {
    options.onFailure(error);
    yield sseJson({ error: errorObject(toAppError(error)) });
  }
}

/** A cancelled answer has no word here; its client is gone, or the server ended it with what there was. */
export function toFinishReason(reason: FinishReason): 'stop' | 'length' | 'tool_calls' | 'content_filter' {
  const coarse = coarseReason(reason);
  return coarse === 'cancelled' ? 'stop' : coarse;
}
