import { AppError } from '../../core/errors.ts';

/** A pattern that finds any of the texts as they stand, the longest first; null when there are none. */
export function literalPattern(texts: readonly string[]): RegExp | null {
  if (texts.length === 0) return null;
  const sorted = [...new Set(texts)].sort((a, b) => b.length - a.length);
  return new RegExp(sorted.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'gu');
}

/** Puts `mark` after the first character of every match, overlapping ones included. */
export function breakUp(text: string, pattern: RegExp | null, mark: string): string {
  if (!pattern) return text;
  let result = '';
  let copied = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const cut = match.index + (match[0].codePointAt(0)! > 0xffff ? 2 : 1);
    result += text.slice(copied, cut) + mark;
    copied = cut;
    pattern.lastIndex = cut;
  }
  return result + text.slice(copied);
}

/** How often a pattern is found in a text, overlapping matches included. */
export function countMatches(text: string, pattern: RegExp | null): number {
  if (!pattern) return 0;
  let count = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    count++;
    pattern.lastIndex = match.index + 1;
  }
  return count;
}

/** A private-use character that the conversation does not contain. */
export function unusedMark(conversation: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const mark = String.fromCharCode(code);
    if (!conversation.includes(mark)) return mark;
  }
  throw new AppError('invalid_request', 'The messages use every private-use character of Unicode.', {
    field: 'input.messages',
  });
}
