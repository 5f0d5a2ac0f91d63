import { fileSize, timeLeft } from '../core/format-units.ts';
import { fitLine } from './chat/chat.ts';
import type { PullView } from './client.ts';

const barWidth = 24;

/**
 * A pull as one line: a bar, how much of it is there, how fast, how long still. In a narrow window the bar goes first, then the
 * amount: a line that breaks could not be written over.
 */
export function progressLine(pull: PullView, columns = Number.POSITIVE_INFINITY): string {
  const share = pull.totalBytes === 0 ? 1 : pull.receivedBytes / pull.totalBytes;
  const filled = Math.floor(share * barWidth);
  const bar = '#'.repeat(filled).padEnd(barWidth, '.');
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const amount = `${fileSize(pull.receivedBytes)} of ${fileSize(pull.totalBytes)}`;
  const forms = [
    `[${bar}] ${percent} %  ${amount}${rest(pull)}`,
    `${percent} %  ${amount}${rest(pull)}`,
    `${percent} %${rest(pull)}`,
  ];
  return forms.find((form) => form.length < columns) ?? fitLine(forms.at(-1)!, columns);
}

/** Lines for a file or a pipe: one for each state and each ten percent. Null: nothing new since `last`. */
export function plainLine(pull: PullView, last: string | null): { key: string; line: string } | null {
  const tenth = pull.totalBytes === 0 ? 10 : Math.floor((pull.receivedBytes / pull.totalBytes) * 10);
  const key = pull.state === 'downloading' ? `downloading ${tenth}` : `${pull.state} ${pull.notes.join(' ')}`;
  if (key === last) return null;
  const amount = `${fileSize(pull.receivedBytes)} of ${fileSize(pull.totalBytes)}`;
  return { key, line: `${pull.state}: ${amount}${rest(pull)}` };
}

function rest({ state, notes, bytesPerSecond, totalBytes, receivedBytes }: PullView): string {
  if (state === 'waiting') return `  waiting: ${notes.at(-1) ?? 'for its turn'}`;
  if (state === 'verifying') return '  checking';
  if (bytesPerSecond === null || bytesPerSecond === 0) return '';
  return `  ${fileSize(bytesPerSecond)}/s  ${timeLeft((totalBytes - receivedBytes) / bytesPerSecond)} left`;
}
