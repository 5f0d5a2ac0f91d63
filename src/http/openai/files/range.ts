import type { ByteRange } from '../../../core/stored-files.ts';

/**
 * The one part that a `Range` header asks of so many bytes; null: it asks for several, or for none that is there, and gets
 * all, as RFC 9110 (14.2) allows.
 */
export function rangeOf(header: string | undefined, sizeBytes: number): ByteRange | null {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (from === '' && to === '') return null;
  const range =
    from === ''
      ? { first: Math.max(0, sizeBytes - Number(to)), last: sizeBytes - 1 }
      : { first: Number(from), last: to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1) };
  return range.first <= range.last ? range : null;
}
