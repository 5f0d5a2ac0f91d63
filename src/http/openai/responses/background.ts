import { EventEmitter, once } from 'node:events';
import { abortable } from '../../../core/abortable.ts';
import { type Clock, delay } from '../../../core/clock.ts';
import { AppError, toAppError } from '../../../core/errors.ts';
import type { Logger } from '../../../observe/logger.ts';
import type { Begun } from '../../answer/answer.ts';
import type { ResponseEvent, ResponseWriter } from './from-core.ts';
import type { Item } from './item.ts';
import type { KeptResponses, StoredResponse } from './kept-responses.ts';

/** A response that is to be made while nobody waits for it. */
export interface BackgroundJob {
  owner: string;
  input: Item[];
  writer: ResponseWriter;
  /** What is kept of it now. */
  stored(): StoredResponse;
  /** Begins the answer. Throws `AppError`s in the names of the dialect. */
  begin(signal: AbortSignal): Promise<Pick<Begun, 'events' | 'fail'>>;
}

/** A job that waits or runs. */
export interface RunningResponse {
  writer: ResponseWriter;
  input: Item[];
  /** Its events from `after` on (left out: all), those so far and those to come, until the last. */
  follow(after: number, signal: AbortSignal): AsyncGenerator<ResponseEvent>;
  /** Ends it; resolves when it is kept as cancelled. */
  cancel(): Promise<void>;
}

export interface Background {
  /** Keeps the response as queued and makes it when its turn has come. Rejects with `queue_full` and `storage_unavailable`. */
  start(job: BackgroundJob): Promise<RunningResponse>;
  /** Null: there is none of that owner that has not ended. */
  get(owner: string, id: string): RunningResponse | null;
  /** Ends all; resolves when they are kept. */
  close(): Promise<void>;
}

function shuttingDown(): AppError {
  return new AppError('shutting_down', 'The server was shut down while the response was made.');
}

/** So many are made at a time: who waits for an answer must find slots free. */
const atATime = 4;
const mostWaiting = 256;
/** Where the queue of a model is full and nobody says for how long. */
const retryMs = 2_000;

/** Makes responses without a client that waits, each kept as soon as it is asked for and again when it has ended. */
export function createBackground(deps: {
  kept: KeptResponses;
  clock: Pick<Clock, 'after'>;
  log: Pick<Logger, 'warn' | 'error'>;
}): Background {
  const { kept, clock, log } = deps;
  const running = new Map<string, { owner: string; run: RunningResponse; ended: Promise<void> }>();
  let free = atATime;
  let isClosing = false;
  /** Those that are being kept, and do not wait yet. */
  let starting = 0;
  const turns: (() => void)[] = [];

  const takeTurn = async (signal: AbortSignal): Promise<void> => {
    if (free > 0) {
      free--;
      return;
    }
    await abortable<void>(signal, (resolve) => {
      turns.push(resolve);
      return () => {
        const place = turns.indexOf(resolve);
        if (place >= 0) turns.splice(place, 1);
      };
    });
  };
  const giveTurn = () => {
    const next = turns.shift();
    if (next) next();
    else free++;
  };

  /** Begins the answer; a model whose queue is full is asked again, as nobody waits. */
  const begin = async (job: BackgroundJob, signal: AbortSignal) => {
    for (;;) {
      try {
        return await job.begin(signal);
      } catch (thrown) {
        const error = toAppError(thrown);
        if (error.code !== 'queue_full') throw error;
        await delay(clock, (error.retryAfterSeconds ?? 0) * 1000 || retryMs, signal);
      }
    }
  };

  const run = async (job: BackgroundJob, signal: AbortSignal, tell: (events: ResponseEvent[]) => void) => {
    await takeTurn(signal);
    try {
      const { events, fail } = await begin(job, signal);
      try {
        for await (const event of events) tell(job.writer.write(event));
        if (!job.writer.hasEnded()) throw new Error('the event stream ended without a finish event');
      } catch (thrown) {
        throw fail(thrown);
      }
    } finally {
      giveTurn();
    }
  };

  /** What is too large to be kept, or has no room on the disk, must not look as if it were still being made. */
  const saveEnded = async (owner: string, stored: StoredResponse, events: readonly ResponseEvent[]) => {
    const { id } = stored.response;
    const error = { code: 'server_error', message: 'The response could not be kept.', param: null };
    const attempts = [
      () => kept.save(owner, stored, events),
      () => kept.save(owner, stored, null),
      () =>
        kept.save(owner, { input: [], response: { ...stored.response, status: 'failed', error, output: [] } }, null),
    ];
    for (const attempt of attempts) {
      try {
        return await attempt();
      } catch (err) {
        log.warn({ err, response: id }, 'a background response could not be kept');
      }
    }
  };

  return {
    async start(job) {
      if (running.size + starting >= atATime + mostWaiting) {
        throw new AppError('queue_full', `More than ${mostWaiting} responses wait in the background.`, {
          retryAfterSeconds: 10,
        });
      }
      const { writer, owner, input } = job;
      const { id } = writer.response();
      const events = writer.queue();
      starting++;
      await kept.save(owner, job.stored(), events).finally(() => starting--);
      const aborter = new AbortController();
      const followers = new EventEmitter().setMaxListeners(0);
      const tell = (added: readonly ResponseEvent[]) => {
        events.push(...added);
        followers.emit('more');
      };
      const ended = run(job, aborter.signal, tell)
        .catch((thrown: unknown) => {
          if (aborter.signal.aborted && !isClosing) {
            tell(writer.cancel());
            return;
          }
          const error = isClosing ? shuttingDown() : toAppError(thrown);
          if (error.code === 'internal_error')
            log.error({ err: error.cause, response: id }, 'a background response failed');
          tell(writer.fail(error));
        })
        .then(() => saveEnded(owner, job.stored(), events))
        .finally(() => {
          running.delete(id);
          followers.emit('more');
        });
      const response: RunningResponse = {
        writer,
        input,
        async *follow(after, signal) {
          for (let next = after + 1; ; next++) {
            while (next >= events.length) {
              if (writer.hasEnded()) return;
              const isMore = await once(followers, 'more', { signal }).catch(() => false);
              if (!isMore) return;
            }
            yield events[next]!;
          }
        },
        cancel() {
          aborter.abort(new AppError('client_closed_request', 'The response was cancelled.'));
          return ended;
        },
      };
      running.set(id, { owner, run: response, ended });
      return response;
    },
    get(owner, id) {
      const found = running.get(id);
      return found?.owner === owner ? found.run : null;
    },
    async close() {
      isClosing = true;
      await Promise.all([...running.values()].map(({ run }) => run.cancel()));
    },
  };
}
