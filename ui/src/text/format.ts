import { memorySize, timeLeft } from '../../../src/core/format-units.ts';

export { fileSize, memorySize, timeLeft } from '../../../src/core/format-units.ts';

/** Where there is no number. */
export const none = '–';

/** A number and its unit apart, so that the unit can be smaller: `['4.2', 'GB']`. */
export function split(text: string): [number: string, unit: string] {
  const [number = '', unit = ''] = text.split(' ');
  return [number, unit];
}

/** Bytes of memory; `–` for null. */
export function memory(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? none : memorySize(bytes);
}

/** A time that passed: `340 ms`, `4.2 s`, `3 min`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return none;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return timeLeft(ms / 1_000);
}

/** `12.4`, and whole from 100 on. */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return none;
  return perSecond >= 100 ? String(Math.round(perSecond)) : perSecond.toFixed(1);
}

/** `12,345`. */
export function whole(number: number | null | undefined): string {
  return number === null || number === undefined ? none : number.toLocaleString('en-US');
}

/** Tokens of a context, short: `8k`, `128k`, `2,500`. */
export function contextTokens(tokens: number | null | undefined): string {
  if (tokens === null || tokens === undefined) return none;
  return tokens >= 1_024 && tokens % 1_024 === 0 ? `${tokens / 1_024}k` : whole(tokens);
}

/** Parameters of a model: `1.7B`, `350M`. */
export function parameters(number: number | null | undefined): string {
  if (number === null || number === undefined) return none;
  const billions = number / 1e9;
  if (billions >= 1) return `${billions >= 10 ? Math.round(billions) : Number(billions.toFixed(1))}B`;
  return `${Math.max(1, Math.round(number / 1e6))}M`;
}

/** US dollars, small amounts exactly enough to be seen: `$0.00`, `$0.0042`, `$3.25`. */
export function usd(amount: number | null | undefined): string {
  if (amount === null || amount === undefined) return none;
  if (amount === 0) return '$0.00';
  return amount < 0.01 ? `$${amount.toPrecision(2)}` : `$${amount.toFixed(2)}`;
}

/** `42 %`; a share that is not nothing never looks like it. */
export function percent(share: number): string {
  const value = share * 100;
  return value > 0 && value < 1 ? '<1 %' : `${Math.round(value)} %`;
}

/** A point in time, as this device writes it; with the day where it is not today. */
export function moment(iso: string | null | undefined): string {
  if (!iso) return none;
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  return isToday ? time : `${at.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })} ${time}`;
}

/** `1 request`, `2 requests`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${whole(number)} ${number === 1 ? one : many}`;
}
