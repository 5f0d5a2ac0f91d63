import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { createAnswerWriter } from './answer-writer.ts';
import type { AnswerEnd, ChatClient, ChatWish } from './chat-api.ts';
import type { Screen } from './screen.ts';
import type { AnswerStats } from './stats.ts';
import { showWaiting } from './wait-line.ts';

/** What came of one question. */
export interface Answered {
  model: string;
  provider: string;
  text: string;
  thinking: string;
  leftOutMessages: number;
  ignored: string[];
  stats: AnswerStats;
  /** The person stopped it. */
  isStopped: boolean;
}

/**
 * Asks and writes the answer as it comes; while none comes, says why. An abort of `signal` ends it with what there is.
 * Throws the `AppError` of a failure, after what came before it was written.
 */
export async function answer(
  deps: { client: ChatClient; screen: Screen; clock: Clock },
  wish: ChatWish,
  signal: AbortSignal,
  options: { showsThinking: boolean; isSilent?: boolean },
): Promise<Answered> {
  const { client, screen, clock } = deps;
  const requestId = `req_${randomBytes(12).toString('hex')}`;
  const writer = createAnswerWriter(options.isSilent ? { ...screen, write() {} } : screen, options.showsThinking);
  const waiting = showWaiting({ screen, clock, ask: () => client.waiting(requestId) });
  const startMs = clock.monotonicMs();
  const said = { text: '', thinking: '' };
  let about = { model: wish.model, provider: 'local', leftOutMessages: 0, ignored: [] as string[] };
  let firstPieceMs: number | null = null;
  let end: AnswerEnd | null = null;
  let isStopped = false;
  try {
    const { pieces, ...begun } = await client.chat(wish, requestId, signal);
    about = begun;
    for await (const piece of pieces) {
      if (piece.type === 'end') {
        end = piece.end;
        continue;
      }
      waiting.stop();
      firstPieceMs ??= clock.monotonicMs() - startMs;
      said[piece.type] += piece.text;
      writer[piece.type](piece.text);
    }
    if (end === null) throw new AppError('internal_error', 'The answer broke off before its end.');
  } catch (error) {
    if (!signal.aborted) throw error;
    isStopped = true;
  } finally {
    waiting.stop();
    writer.end();
  }
  const stats = { firstPieceMs, totalMs: clock.monotonicMs() - startMs, end };
  return { ...about, ...said, stats, isStopped };
}
