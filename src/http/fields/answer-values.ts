import { z } from 'zod';

/** Values that answers of several dialects hold. */

/** A whole number, never negative, that JavaScript holds exactly. */
export const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A point in time. */
export const timestamp = z.string().meta({ description: 'ISO 8601, UTC' });
