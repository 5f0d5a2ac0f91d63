import type { PullView } from './client.ts';

const barWidth = 24;

/** Bytes as disks and lines are sold: `4.8 GB`, `312 MB`. */
export function shownBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

/** A pull as one line: a bar, how much of it is there, how fast, how long still. */
export function progressLine(pull: PullView): string {
  const share = pull.totalBytes === 0 ? 1 : pull.receivedBytes / pull.totalBytes;
  const filled = Math.floor(share * barWidth);
  const bar = '#'.repeat(filled).padEnd(barWidth, '.');
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const amount = `${shownBytes(pull.receivedBytes)} of ${shownBytes(pull.totalBytes)}`;
  return `[${bar}] ${percent} %  ${amount}${rest(pull)}`;
}

/** Lines for a file or a pipe: one for each state and each ten percent. Null: nothing new since `last`. */
export function plainLine(pull: PullView, last: string | null): { key: string; line: string } | null {
  const tenth = pull.totalBytes === 0 ? 10 : Math.floor((pull.receivedBytes / pull.totalBytes) * 10);
  const key = pull.state === 'downloading' ? `downloading ${tenth}` : `${pull.state} ${pull.notes.join(' ')}`;
  if (key === last) return null;
  const amount = `${shownBytes(pull.receivedBytes)} of ${shownBytes(pull.totalBytes)}`;
  return { key, line: `${pull.state}: ${amount}${rest(pull)}` };
}

function rest({ state, notes, bytesPerSecond, totalBytes, receivedBytes }: PullView): string {
  if (state === 'waiting') return `  waiting: ${notes.at(-1) ?? 'for its turn'}`;
  if (state === 'verifying') return '  checking';
  if (bytesPerSecond === null || bytesPerSecond === 0) return '';
  return `  ${shownBytes(bytesPerSecond)}/s  ${shownDuration((totalBytes - receivedBytes) / bytesPerSecond)} left`;
}

function shownDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.ceil(whole / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
