/** Why a pattern is outside the subset; the caller knows where it stands. */
export class PatternError extends Error {
  /** The pattern is well-formed, and only look-around keeps it out. */
  readonly lookAround: boolean;

  constructor(message: string, lookAround = false) {
    super(message);
    this.lookAround = lookAround;
  }
}
