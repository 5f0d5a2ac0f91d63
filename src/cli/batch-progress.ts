import { setTimeout as pause } from 'node:timers/promises';
import { timeLeft } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import type { BatchView, HearthClient } from './client.ts';
import type { Terminal } from './command.ts';

const [firstPollMs, longestPollMs, pollGrowth] = [100, 2_000, 1.5];
const overStates = ['completed', 'failed', 'expired', 'cancelled'];

export const isOver = ({ status }: BatchView): boolean => overStates.includes(status);

/** A batch as one line: `batch_…  in_progress  12 of 200, 1 failed`. */
export function batchLine({ id, status, endpoint, request_counts: { total, completed, failed } }: BatchView): string {
  const failures = failed > 0 ? `, ${failed} failed` : '';
  return `${id}  ${status.padEnd(11)}  ${completed + failed} of ${total}${failures}  ${endpoint}`;
}

/** What is wrong with the lines of its input, a line each. */
export function errorLines({ errors }: BatchView): string[] {
  return (errors?.data ?? []).map(({ line, message }) => (line === null ? message : `line ${line}: ${message}`));
}

/**
 * Shows how a batch goes on until it is over, and resolves with it; null: the person has left, and it goes on without us.
 */
export async function followBatch(
  client: Pick<HearthClient, 'batch'>,
  begun: BatchView,
  { terminal, interrupted }: { terminal: Terminal; interrupted: Promise<void> },
): Promise<BatchView | null> {
  const left = interrupted.then(() => null);
  const startMs = performance.now();
  const begunWith = answeredOf(begun);
  let shown = '';
  let pollMs = firstPollMs;
  for (let batch = begun; ; ) {
    const line = progressOf(batch, { begunWith, tookMs: performance.now() - startMs });
    // To the start of the line, and away with what was longer.
    if (terminal.isInteractive) terminal.write(`\r${toPrintable(line)}\u001b[K`);
    else if (plainOf(batch) !== shown) terminal.write(`${toPrintable(plainOf(batch))}\n`);
    shown = plainOf(batch);
    if (isOver(batch)) {
      if (terminal.isInteractive) terminal.write('\n');
      return batch;
    }
    if ((await Promise.race([pause(pollMs, 'on'), left])) === null) {
      if (terminal.isInteractive) terminal.write('\n');
      return null;
    }
    pollMs = Math.min(longestPollMs, pollMs * pollGrowth);
    batch = await client.batch(batch.id);
  }
}

const answeredOf = ({ request_counts: { completed, failed } }: BatchView) => completed + failed;

function progressOf(batch: BatchView, since: { begunWith: number; tookMs: number }): string {
  const { total, failed } = batch.request_counts;
  const answered = answeredOf(batch);
  const isNew = answered - since.begunWith;
  const left = isNew > 0 && !isOver(batch) ? ((total - answered) * since.tookMs) / isNew / 1_000 : null;
  const facts = [
    `${batch.status}: ${answered} of ${total}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(left !== null ? [`${timeLeft(left)} left`] : []),
  ];
  return facts.join(', ');
}

/** For a file or a pipe: a line for each state and each tenth. */
function plainOf(batch: BatchView): string {
  const { total } = batch.request_counts;
  const tenth = total === 0 ? 0 : Math.floor((answeredOf(batch) / total) * 10);
  const amount = isOver(batch) ? `${answeredOf(batch)} of ${total}` : `${tenth * 10} % of ${total}`;
  return `${batch.status}: ${amount}`;
}
