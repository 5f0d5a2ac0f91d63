import { AppError, toAppError } from '../../core/errors.ts';
import { type BlockEvent, createChoiceTagger, type StreamEvent } from '../../core/events.ts';
import { inOrderOfArrival } from '../../core/in-order-of-arrival.ts';
import { longestTimings, sumChoices } from '../../core/usage.ts';

type Finish = Extract<StreamEvent, { type: 'finish' }>;

/**
 * Several streams, one for each choice, as the stream of one answer: one start, events as they come with the number of
 * their choice, a `choice-end` for each, and one finish. Each stream is asked for its next event when the last one has
 * been taken. Throws the first error of a stream. Where not all of them come to their end, after an error or because the
 * reader turned away, `abort` ends the rest.
 */
export async function* mergeChoices(
  streams: readonly AsyncIterable<StreamEvent>[],
  abort: (reason: AppError) => void,
): AsyncGenerator<StreamEvent> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const finishes: (Finish | undefined)[] = streams.map(() => undefined);
  const tag = createChoiceTagger();
  let started = false;
  let whole = false;
  try {
    for await (const { index, item: event } of inOrderOfArrival(iterators)) {
      switch (event.type) {
        case 'start':
          if (!started) yield event;
          started = true;
          break;
        case 'progress':
          // Choices wait for each other's prompt; the first tells of it for all.
          if (index === 0) yield event;
          break;
        case 'logprobs':
          yield { ...event, choice: index };
          break;
        case 'choice-end':
          break;
        case 'finish': {
          finishes[index] = event;
          const { reason, rawReason, stopSequence } = event;
          yield { type: 'choice-end', choice: index, reason, rawReason, stopSequence };
          break;
        }
        default:
          yield tag(index, event satisfies BlockEvent);
      }
    }
    const finish = finishOf(finishes);
    whole = true;
    yield finish;
  } catch (error) {
    throw toAppError(error);
  } finally {
    // A stream that waits for its next event hears no `return` before that has come.
    if (!whole) abort(new AppError('client_closed_request', 'The other answers to the same request ended early.'));
    for (const iterator of iterators) {
      // Not waited for: the signal ends them. A failure now has nobody left to tell.
      iterator.return?.().catch(() => {});
    }
  }
}

/** The first choice's ending, the usage of all, and the longest of their times. */
function finishOf(finishes: readonly (Finish | undefined)[]): Finish {
  const all = finishes.filter((finish) => finish !== undefined);
  const [first] = all;
  if (!first || all.length < finishes.length) throw new Error('a choice ended without a finish event');
  return {
    ...first,
    usage: sumChoices(all.map(({ usage }) => usage)),
    timings: longestTimings(all.map(({ timings }) => timings)),
  };
}
