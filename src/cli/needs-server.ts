import { AppError } from '../core/errors.ts';
import type { SayCommand } from '../core/say-command.ts';

/** What refuses where no server runs. `address`: where none answered; null: nobody was asked. */
export function needsServerAt(address: string | null, sayCommand: SayCommand): () => Promise<never> {
  return async () => {
    throw new AppError('not_supported', `No Hearth runs${address === null ? '' : ` at ${address}`}.`, {
      fix: `Start one with ${sayCommand()} in another window, or set HEARTH_URL to the one that is meant.`,
    });
  };
}
