import { AppError } from '../../../core/errors.ts';

/** No vocabulary comes near; the model's own limit is checked where it is known. */
const maxToken = 2 ** 31 - 1;

/** The token numbers of a list. Throws `invalid_request` that names the item at fault. */
export function toTokens(items: readonly unknown[], field: string): number[] {
  if (items.length === 0) throw new AppError('invalid_request', `"${field}" is empty.`, { field });
  return items.map((item, index) => {
    if (typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= maxToken) return item;
    const at = `${field}.${index}`;
    throw new AppError('invalid_request', `"${at}" must be a token number.`, { field: at });
  });
}
