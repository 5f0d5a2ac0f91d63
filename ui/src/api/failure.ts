/** A failure with all that the server says of it. */
export interface Failure {
  /** Of the server's list of codes, in small letters; `unreachable` where nothing answered. */
  code: string;
  /** HTTP status; 0: nothing answered. */
  status: number;
  message: string;
  /** What to do about it; null: the server does not say. */
  fix: string | null;
  /** Numbers and names that belong to it. */
  details: Record<string, unknown>;
  retryAfterSeconds: number | null;
}

/** What is thrown where the server refuses or does not answer. */
export class ApiError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'ApiError';
    this.failure = failure;
  }
}

/** Anything that was thrown, as a failure. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof ApiError) return thrown.failure;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'page_failed', status: 0, message, fix: null, details: {}, retryAfterSeconds: null };
}

/** Whether it was our own doing: a request that was given up is no failure. */
export function wasAborted(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'AbortError';
}

export const unreachable: Failure = {
  code: 'unreachable',
  status: 0,
  message: 'Hearth does not answer.',
  fix: 'See whether it runs, and whether this device reaches it.',
  details: {},
  retryAfterSeconds: null,
};

/** Reads the error of any dialect; a proxy in between may send no JSON at all. */
export function readFailure(status: number, text: string): Failure {
  const body = parse(text);
  const inner = isObject(body['error']) ? body['error'] : body;
  const details = isObject(inner['details']) ? inner['details'] : {};
  const word = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
  const fix = word(details['fix']);
  const message = word(inner['message']) ?? word(inner['detail']) ?? `The server answered with status ${status}.`;
  const retryAfter = inner['retry_after'] ?? details['retry_after'];
  const { fix: _fix, request_id: _requestId, retry_after: _retryAfter, ...numbers } = details;
  return {
    code: (word(inner['code']) ?? word(inner['type']) ?? `status_${status}`).toLowerCase(),
    status,
    message,
    fix,
    details: numbers,
    retryAfterSeconds: typeof retryAfter === 'number' ? retryAfter : null,
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
