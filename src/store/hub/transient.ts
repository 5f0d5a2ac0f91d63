/** A failure that may pass: the network, a server that is overloaded or restarts. `retryAfterMs`: what it asked for. */
export class TransientHubError extends Error {
  readonly retryAfterMs: number | null;
  constructor(message: string, options: { retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TransientHubError';
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
