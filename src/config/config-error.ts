/**
 * The configuration cannot be used. The message is one line per problem for the operator: where it stands (file, line
 * and column, variable or flag), what is wrong, how to fix it. Never holds the value of a secret.
 */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }

  /** The lines of the message: all that is wrong. */
  get problems(): string[] {
    return this.message.split('\n');
  }
}
