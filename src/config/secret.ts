import { inspect } from 'node:util';

/** A text that no output shows: reading it is a call, so that neither a log, nor JSON, nor an inspection has it by accident. */
export interface Secret {
  reveal(): string;
}

/** What stands where a secret would. */
export const redacted = '[redacted]' as const;

/** Wraps a text as a secret. */
export function secret(text: string): Secret {
  return Object.freeze({
    reveal: () => text,
    toString: () => redacted,
    toJSON: () => redacted,
    [inspect.custom]: () => redacted,
  });
}

/** Whether a value is a secret, as the function above wraps one. */
export function isSecret(value: object): value is Secret {
  return 'reveal' in value && typeof value.reveal === 'function';
}
