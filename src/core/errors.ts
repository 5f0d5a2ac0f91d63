/**
 * The error catalogue: every failure that can reach a client, with its HTTP status and whether the same
 * request may succeed later. A dialect turns an `AppError` into its own body in its own `errors.ts`; nobody else
 * formats error bodies. README lists the codes; `test/docs.test.ts` keeps the two equal.
 */
export const errorCatalogue = {
  invalid_request: { status: 400, retryable: false },
  context_length_exceeded: { status: 400, retryable: false },
  unauthorized: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  hub_access_denied: { status: 403, retryable: false },
  model_protected: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  model_not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  request_timeout: { status: 408, retryable: true },
  model_busy: { status: 409, retryable: true },
  payload_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  invalid_model_file: { status: 422, retryable: false },
  model_load_failed: { status: 422, retryable: false },
  headers_too_large: { status: 431, retryable: false },
  queue_full: { status: 429, retryable: true },
  client_closed_request: { status: 499, retryable: false },
  internal_error: { status: 500, retryable: false },
  template_failed: { status: 500, retryable: false },
  not_supported: { status: 501, retryable: false },
  hub_answer_invalid: { status: 502, retryable: false },
  hub_failed: { status: 502, retryable: true },
  worker_crashed: { status: 503, retryable: true },
  model_quarantined: { status: 503, retryable: true },
  model_out_of_memory: { status: 503, retryable: true },
  memory_pressure: { status: 503, retryable: true },
  shutting_down: { status: 503, retryable: true },
  insufficient_memory: { status: 507, retryable: false },
  storage_unavailable: { status: 507, retryable: false },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof errorCatalogue;

export interface AppErrorOptions {
  /** Name of the request field at fault, as the client wrote it (`messages.0.content`). */
  field?: string;
  /** What the client can do about it; dialects append it or put it in `details`. */
  fix?: string;
  /** Seconds after which a retry makes sense; becomes `Retry-After`. Only meaningful on retryable errors. */
  retryAfterSeconds?: number;
  /** Numbers and names that belong to the failure, in snake_case; shown to clients, so never paths or secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** An error that a client may see. `message` must be fit for a client: no paths, stacks or native text. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly field: string | null;
  readonly fix: string | null;
  readonly retryAfterSeconds: number | null;
  readonly details: Record<string, unknown> | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = errorCatalogue[code].status;
    this.retryable = errorCatalogue[code].retryable;
    this.field = options.field ?? null;
    this.fix = options.fix ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
    this.details = options.details ?? null;
  }

  /** Plain data for a process boundary; `fromWire` reads it back. */
  toWire(): WireError {
    return {
      code: this.code,
      message: this.message,
      field: this.field,
      fix: this.fix,
      retryAfterSeconds: this.retryAfterSeconds,
      details: this.details,
    };
  }

  static fromWire(wire: WireError): AppError {
    return new AppError(wire.code, wire.message, {
      ...(wire.field !== null && { field: wire.field }),
      ...(wire.fix !== null && { fix: wire.fix }),
      ...(wire.retryAfterSeconds !== null && { retryAfterSeconds: wire.retryAfterSeconds }),
      ...(wire.details !== null && { details: wire.details }),
    });
  }
}

/** An `AppError` as plain data. */
export interface WireError {
  code: ErrorCode;
  message: string;
  field: string | null;
  fix: string | null;
  retryAfterSeconds: number | null;
  details: Record<string, unknown> | null;
}

/** Wraps anything thrown: an `AppError` stays what it is, the rest becomes `internal_error` with the cause kept. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError('internal_error', 'The server failed on this request; its log has the cause.', { cause: thrown });
}
