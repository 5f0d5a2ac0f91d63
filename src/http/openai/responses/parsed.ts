import type { z } from 'zod';
import { validationError } from '../../fields/validation.ts';

/** A value by its schema; throws `invalid_request` that names the part of `field` at fault. */
export function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, field: string): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw validationError(result.error.issues.map((issue) => ({ ...issue, path: [field, ...issue.path] })));
}
