/** Tokens that two prompts have in common at the start; at least one of the second is left out, to be evaluated. */
export function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length - 1);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
