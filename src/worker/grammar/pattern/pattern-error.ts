/** Why a pattern cannot be read; the caller knows where it stands. */
export class PatternError extends Error {}
