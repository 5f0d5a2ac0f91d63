import type { Clock } from '../../core/clock.ts';
import { timeLeft } from '../../core/format-units.ts';
import type { Waiting } from './chat-api.ts';
import { fitLine, freshLine, type Screen } from './screen.ts';

/** Short waits are not worth a word. */
const everyMs = 500;

/** A line that says what is waited for, until somebody stops it. */
export interface WaitLine {
  /** Takes the line away. Safe to call more than once. */
  stop(): void;
}

/**
 * Says over and over what a request waits for, where a person watches the notes. `ask`: where it is now; a failure to
 * answer that is no failure of the request.
 */
export function showWaiting(deps: { screen: Screen; clock: Clock; ask: () => Promise<Waiting | null> }): WaitLine {
  const { screen, clock } = deps;
  if (!screen.areNotesWatched) return { stop() {} };
  const startMs = clock.monotonicMs();
  let isStopped = false;
  let isShown = false;
  let isAsking = false;

  const look = async () => {
    if (isAsking) return;
    isAsking = true;
    const waiting = await deps.ask().catch(() => null);
    isAsking = false;
    if (isStopped || waiting === null) return;
    isShown = true;
    const words = waitingWords(waiting, clock.monotonicMs() - startMs);
    screen.note(freshLine + fitLine(words, screen.columns()));
  };
  const timer = clock.every(everyMs, look);
  return {
    stop() {
      isStopped = true;
      timer.cancel();
      if (isShown) screen.note(freshLine);
      isShown = false;
    },
  };
}

/** `elapsedMs`: for as long it has been waiting. */
export function waitingWords({ stage, place, estimateMs, promptShare }: Waiting, elapsedMs: number): string {
  const time = estimateMs === null ? '' : `, about ${timeLeft(estimateMs / 1_000)}`;
  switch (stage) {
    case 'queued':
      return `waiting for its turn${place === null ? '' : `, place ${place}`}${time}`;
    case 'loading':
      return `loading the model, ${timeLeft(elapsedMs / 1_000)} so far`;
    case 'prompt':
      return `reading the prompt${promptShare === null ? '' : `, ${Math.floor(promptShare * 100)} %`}`;
    case 'retrying':
      return `waiting for a provider${time}`;
  }
}
