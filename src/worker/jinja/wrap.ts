import { valueError } from './errors.ts';
import { lengthOf, unitIndex } from './unicode.ts';

export interface WrapStyle {
  width: number;
  breakLong: boolean;
  onHyphens: boolean;
}

/** A line in lines of a width, as Python's `textwrap` cuts it. */
export function wrapText(line: string, { width, breakLong, onHyphens }: WrapStyle): string[] {
  if (width <= 0) throw valueError(`invalid width ${width} (must be > 0)`);
  const pattern = onHyphens ? /\s+|[^\s]*?[\p{L}\p{N}_]-(?=[\p{L}_]{1,})|\S+/gu : /\s+|\S+/gu;
  const chunks = [...line.matchAll(pattern)].map(([chunk]) => chunk).reverse();
  const lines: string[] = [];
  while (chunks.length > 0) {
    const current: string[] = [];
    let length = 0;
    if (lines.length > 0 && chunks.at(-1)!.trim() === '') chunks.pop();
    while (chunks.length > 0 && length + lengthOf(chunks.at(-1)!) <= width) {
      length += lengthOf(chunks.at(-1)!);
      current.push(chunks.pop()!);
    }
    if (chunks.length > 0 && lengthOf(chunks.at(-1)!) > width) {
      const chunk = chunks.pop()!;
      const room = Math.max(1, width - length);
      if (breakLong) {
        current.push(chunk.slice(0, unitIndex(chunk, room)));
        chunks.push(chunk.slice(unitIndex(chunk, room)));
      } else if (current.length === 0) current.push(chunk);
      else chunks.push(chunk);
    }
    if (current.length > 0 && current.at(-1)!.trim() === '') current.pop();
    if (current.length > 0) lines.push(current.join(''));
  }
  return lines;
}
