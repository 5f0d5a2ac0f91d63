import { effect, signal } from '@preact/signals';
import { nowMs } from '../text/clock.ts';
import { live } from './live.ts';

/** What the pace was, second by second, for as long as the page has been open; the latest last. */
export const history = signal<{ atSeconds: number[]; tokensPerSecond: number[] }>({
  atSeconds: [],
  tokensPerSecond: [],
});

const keptSeconds = 300;

effect(() => {
  const now = nowMs.value;
  const pace = live.peek()?.pace;
  if (!pace) return;
  const { atSeconds, tokensPerSecond } = history.peek();
  history.value = {
    atSeconds: [...atSeconds, Math.round(now / 1_000)].slice(-keptSeconds),
    tokensPerSecond: [...tokensPerSecond, pace.tokens_per_second].slice(-keptSeconds),
  };
});
