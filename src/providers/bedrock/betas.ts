import type { CapabilityRow } from './capability-table.ts';

/**
 * Flags of `anthropic-beta` for the body: those of all headers (a comma between them, however many there were) and of the
 * body itself, each once, without those that the model refuses a whole request for.
 */
export function betasOf(
  header: string | undefined,
  inBody: readonly unknown[],
  row: CapabilityRow,
  warn: (field: string, message: string) => void,
): string[] {
  const named = [...(header ?? '').split(','), ...inBody.filter((flag) => typeof flag === 'string')];
  const wanted = [...new Set(named.map((flag) => flag.trim()).filter((flag) => flag !== ''))];
  const refused = wanted.filter((flag) => !row.betas.includes(flag));
  if (refused.length > 0) warn('original.headers.anthropic-beta', `This model does not know ${refused.join(', ')}.`);
  return wanted.filter((flag) => row.betas.includes(flag));
}
