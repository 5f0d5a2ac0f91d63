import { AppError } from '../../core/errors.ts';
import type { Warning } from '../../core/events.ts';

/** What becomes of the parts of a request that have no place in a body. */
export interface Notes {
  readonly warnings: readonly Warning[];
  /** The request goes on without it. A field is named once. */
  leftOut(field: string, message: string): void;
  /** Without it the answer would be a wrong one, and another provider may have it: throws `not_supported`. */
  refuse(field: string, message: string): never;
}

/** `who`: the provider, as messages name it. */
export function createNotes(who: string): Notes {
  const warnings: Warning[] = [];
  return {
    warnings,
    leftOut(field, message) {
      if (!warnings.some((warning) => warning.field === field)) warnings.push({ field, message: `${who} ${message}` });
    },
    refuse(field, message) {
      throw new AppError('not_supported', `${who} ${message}`, { field });
    },
  };
}
