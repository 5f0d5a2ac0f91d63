import { AppError, toAppError } from '../../core/errors.ts';
import { type BlockEvent, createChoiceTagger, type StreamEvent } from '../../core/events.ts';
import { sumChoices, type Timings, type Usage } from '../../core/usage.ts';

type Finish = Extract<StreamEvent, { type: 'finish' }>;
type Settled = { index: number } & ({ result: IteratorResult<StreamEvent> } | { error: unknown });

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
    for await (const { index, event } of inOrderOfArrival(iterators)) {
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
  const usages: Usage[] = all.map(({ usage }) => usage);
  const longest = (of: (timings: Timings) => number | null) =>
    all.reduce<number | null>((most, { timings }) => {
      const value = of(timings);
      return value === null ? most : Math.max(most ?? 0, value);
    }, null);
  return {
    ...first,
    usage: sumChoices(usages),
    timings: {
      queueMs: longest(({ queueMs }) => queueMs),
      prefillMs: longest(({ prefillMs }) => prefillMs),
      decodeMs: longest(({ decodeMs }) => decodeMs),
    },
  };
}

async function* inOrderOfArrival(
  iterators: readonly AsyncIterator<StreamEvent>[],
): AsyncGenerator<{ index: number; event: StreamEvent }> {
  const settled: Settled[] = [];
  let wake = () => {};
  const ask = (index: number) => {
    const settle = (outcome: Settled) => {
      settled.push(outcome);
      wake();
    };
    iterators[index]!.next().then(
      (result) => settle({ index, result }),
      (error: unknown) => settle({ index, error }),
    );
  };
  let open = iterators.length;
  for (const index of iterators.keys()) ask(index);
  while (open > 0) {
    const next = settled.shift();
    if (next === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else if ('error' in next) throw next.error;
    else if (next.result.done) open--;
    else {
      yield { index: next.index, event: next.result.value };
      ask(next.index);
    }
  }
}
