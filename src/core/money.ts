/** Nano-USD of one USD. */
export const nanoUsdPerUsd = 1_000_000_000n;

/**
 * An amount in USD as an operator writes it (`0.000150`, `3`, `1e-6`) in nano-USD, times 10^`scale`. Exact: it never goes
 * through a floating-point product. Throws a `RangeError` for what is no amount, or finer than a nano-USD.
 */
export function parseUsd(amount: unknown, scale = 0): bigint {
  const text = typeof amount === 'number' ? String(amount) : typeof amount === 'string' ? amount.trim() : '';
  const match = /^\$?(\d{1,15})(?:\.(\d{1,15}))?(?:e([+-]?\d{1,2}))?$/i.exec(text);
  if (!match) throw new RangeError('must be an amount in USD, such as 0.0015');
  const [, whole = '0', fraction = '', exponent = '0'] = match;
  const digits = BigInt(whole + fraction);
  const shift = 9 + scale + Number(exponent) - fraction.length;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  if (digits % divisor !== 0n) throw new RangeError('must not be finer than a billionth of a USD');
  return digits / divisor;
}

/** An amount of nano-USD in USD, with at least six digits behind the point: `0.000150`. */
export function formatUsd(nanoUsd: bigint): string {
  const sign = nanoUsd < 0n ? '-' : '';
  const absolute = nanoUsd < 0n ? -nanoUsd : nanoUsd;
  const fraction = String(absolute % nanoUsdPerUsd)
    .padStart(9, '0')
    .replace(/0{1,3}$/, '');
  return `${sign}${absolute / nanoUsdPerUsd}.${fraction}`;
}

/** An amount of nano-USD as a number of USD, as near as a number can be: for answers that print it, never to reckon with. */
export function toUsd(nanoUsd: bigint): number {
  return Number(formatUsd(nanoUsd));
}
