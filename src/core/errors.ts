import type { Dialect } from './content.ts';

/**
 * The error catalogue: every failure that can reach a client, with its HTTP status, whether the same request may succeed
 * later (`retryable`), and whether another provider may do better with it now (`mayFailOver`). A dialect turns an
 * `AppError` into its own body in its own `errors.ts`; nobody else formats error bodies. `docs/errors.md` lists the codes;
 * `test/docs.test.ts` keeps the two equal.
 */
export const errorCatalogue = {
  invalid_request: { status: 400, retryable: false, mayFailOver: false },
  context_length_exceeded: { status: 400, retryable: false, mayFailOver: false },
  unauthorized: { status: 401, retryable: false, mayFailOver: false },
  forbidden: { status: 403, retryable: false, mayFailOver: false },
  hub_access_denied: { status: 403, retryable: false, mayFailOver: false },
  model_protected: { status: 403, retryable: false, mayFailOver: false },
  not_found: { status: 404, retryable: false, mayFailOver: false },
  model_not_found: { status: 404, retryable: false, mayFailOver: true },
  method_not_allowed: { status: 405, retryable: false, mayFailOver: false },
  request_timeout: { status: 408, retryable: true, mayFailOver: false },
  model_busy: { status: 409, retryable: true, mayFailOver: false },
  idempotency_key_in_use: { status: 409, retryable: true, mayFailOver: false },
  payload_too_large: { status: 413, retryable: false, mayFailOver: false },
  unsupported_media_type: { status: 415, retryable: false, mayFailOver: false },
  invalid_model_file: { status: 422, retryable: false, mayFailOver: true },
  model_load_failed: { status: 422, retryable: false, mayFailOver: true },
  idempotency_key_reused: { status: 422, retryable: false, mayFailOver: false },
  upgrade_refused: { status: 426, retryable: false, mayFailOver: false },
  headers_too_large: { status: 431, retryable: false, mayFailOver: false },
  queue_full: { status: 429, retryable: true, mayFailOver: true },
  client_closed_request: { status: 499, retryable: false, mayFailOver: false },
  internal_error: { status: 500, retryable: false, mayFailOver: false },
  template_failed: { status: 500, retryable: false, mayFailOver: true },
  not_supported: { status: 501, retryable: false, mayFailOver: true },
  hub_answer_invalid: { status: 502, retryable: false, mayFailOver: false },
  hub_failed: { status: 502, retryable: true, mayFailOver: false },
  worker_crashed: { status: 503, retryable: true, mayFailOver: true },
  model_quarantined: { status: 503, retryable: true, mayFailOver: true },
  model_out_of_memory: { status: 503, retryable: true, mayFailOver: true },
  memory_pressure: { status: 503, retryable: true, mayFailOver: true },
  shutting_down: { status: 503, retryable: true, mayFailOver: false },
  insufficient_memory: { status: 507, retryable: false, mayFailOver: true },
  loop_detected: { status: 508, retryable: false, mayFailOver: true },
  storage_unavailable: { status: 507, retryable: false, mayFailOver: false },
  upstream_refused: { status: 400, retryable: false, mayFailOver: false },
  budget_exceeded: { status: 402, retryable: false, mayFailOver: true },
  upstream_rate_limited: { status: 429, retryable: true, mayFailOver: true },
  upstream_quota_exceeded: { status: 429, retryable: false, mayFailOver: true },
  upstream_access_denied: { status: 502, retryable: false, mayFailOver: true },
  upstream_unavailable: { status: 502, retryable: true, mayFailOver: true },
  upstream_overloaded: { status: 503, retryable: true, mayFailOver: true },
  upstream_timeout: { status: 504, retryable: true, mayFailOver: true },
  all_providers_failed: { status: 503, retryable: false, mayFailOver: false },
  rate_limited: { status: 429, retryable: true, mayFailOver: false },
  provider_limit_reached: { status: 429, retryable: true, mayFailOver: true },
  circuit_open: { status: 503, retryable: true, mayFailOver: true },
  deadline_exceeded: { status: 504, retryable: false, mayFailOver: false },
} as const satisfies Record<string, { status: number; retryable: boolean; mayFailOver: boolean }>;

export type ErrorCode = keyof typeof errorCatalogue;

interface AppErrorOptions {
  /** Path of what is at fault in the core's request (`input.messages.0.content`); a dialect translates it to its own names. */
  field?: string;
  /** What the client can do about it; dialects append it or put it in `details`. */
  fix?: string;
  /** Seconds after which a retry makes sense; becomes `Retry-After`. Only meaningful on retryable errors. */
  retryAfterSeconds?: number;
  /** Numbers and names that belong to the failure, in snake_case; shown to clients, so never paths or secrets. */
  details?: Record<string, unknown>;
  /** What another server answered, where the failure is its. */
  upstream?: UpstreamFailure;
  cause?: unknown;
}

/** A failure as a provider worded it, for clients that speak its dialect: they get it unchanged. */
export interface UpstreamFailure {
  /** Id of the provider. */
  provider: string;
  dialect: Dialect;
  status: number;
  /** Those that mean something to the client (`retry-after`, `request-id`, limits), in lower case. */
  headers: Readonly<Record<string, string>>;
  /** The body as it came; null: there was none, or it was none of the dialect. */
  body: unknown;
  /** The record of a stream that told of it, as it came, for those who read that stream; left out: no record did. */
  record?: string;
}

/** An error that a client may see. `message` must be fit for a client: no paths, stacks or native text. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly mayFailOver: boolean;
  readonly field: string | null;
  readonly fix: string | null;
  readonly retryAfterSeconds: number | null;
  readonly details: Record<string, unknown> | null;
  readonly upstream: UpstreamFailure | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = errorCatalogue[code].status;
    this.retryable = errorCatalogue[code].retryable;
    this.mayFailOver = errorCatalogue[code].mayFailOver;
    this.field = options.field ?? null;
    this.fix = options.fix ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
    this.details = options.details ?? null;
    this.upstream = options.upstream ?? null;
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
