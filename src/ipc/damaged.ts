import { AppError } from '../core/errors.ts';

const reason = 'damaged';

/**
 * A model whose numbers are none: whatever it said would be made up, so the server refuses its file from then on.
 * `shows`: by what it was noticed, as in "computes values that are not finite".
 */
export function damagedError(model: string, shows = 'computes values that are not finite'): AppError {
  return new AppError('invalid_model_file', `The model "${model}" ${shows}: its file is damaged.`, {
    fix: 'Get the file again; an explicit load of the model tries it once more.',
    details: { reason },
  });
}

/** Whether an error is such a one, on either side of the process boundary. */
export function isDamaged(error: { details: Record<string, unknown> | null }): boolean {
  return error.details?.['reason'] === reason;
}
