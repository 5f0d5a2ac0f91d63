import type { z } from 'zod';
import type { ErrorBody } from '../../mount/error-handler.ts';
import { apiError, nativeError } from './error-schema.ts';
import { apiErrorBody, rootErrorBody } from './errors.ts';

export { errorObject } from './errors.ts';

/** One place where the native dialect stands, and how it differs there. */
export interface NativeMount {
  prefix: '' | '/api/v1';
  errorBody: (...of: Parameters<ErrorBody>) => z.infer<typeof nativeError> | z.infer<typeof apiError>;
  errorSchema: typeof nativeError | typeof apiError;
  /** The list of models also carries `success`, `data` and `metadata`. */
  hasEnvelope: boolean;
  /** Streams end with `[DONE]`. */
  endsWithDone: boolean;
  tag: string;
}

/** The root: the third seed specification. */
export const rootMount: NativeMount = {
  prefix: '',
  errorBody: rootErrorBody,
  errorSchema: nativeError,
  hasEnvelope: false,
  endsWithDone: false,
  tag: 'Native',
};

/** `/api/v1`: the second seed specification, and the fourth's list of models. */
export const apiMount: NativeMount = {
  prefix: '/api/v1',
  errorBody: apiErrorBody,
  errorSchema: apiError,
  hasEnvelope: true,
  endsWithDone: true,
  tag: 'Native at /api/v1',
};
