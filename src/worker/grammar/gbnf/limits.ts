/**
 * What a schema may cost. All are refused before the text reaches llama.cpp, whose parser and matcher recurse in native
 * code: a grammar nested 60,000 deep ends the process.
 */
export const limits = {
  /** Nesting of schemas; each `$ref` target starts at 0 again. */
  depth: 64,
  /** Nesting of the schema as JSON, values of `const` and `default` included. */
  jsonDepth: 512,
  /** Rules of the grammar text. */
  rules: 5_000,
  /** llama.cpp makes a rule of its own for each optional repetition and a copy for each forced one. */
  expandedRules: 100_000,
  /** UTF-16 units, close to bytes: almost everything in a grammar is ASCII. */
  outputCharacters: 256 * 1024,
  enumValues: 1_000,
  /** Combinations of several `anyOf` in one `allOf`. */
  alternatives: 1_000,
  /** `minItems`, `minLength`. */
  minimumCount: 2_000,
  /** `maxItems`, `maxLength`, `maxProperties`: a larger one is generated as this one, which is as valid. */
  maximumCount: 100_000,
  /** llama.cpp 0.5.0 refuses `{2001}` and takes `{0,2001}` for unlimited. */
  engineRepetition: 2_000,
  /** Length of a `pattern`, its nesting, and the positions that its repetitions unfold to. */
  patternCharacters: 1_000,
  patternDepth: 32,
  patternPositions: 1_000,
  /** Rows of the table of one string that several patterns, look-around or a length shape together. */
  automatonRows: 2_000,
  /** Literals, clauses and ranges that are looked at to work it out, for each length that is tried. */
  automatonWork: 400_000,
  /** Parses of one text that the engine may have to follow at a time. */
  openParses: 1_000,
  /**
   * The work of a whole conversion, in the unit of `automatonWork`: most of a second. No time, so that a slow machine and
   * a busy one take the same schemas as any other.
   */
  work: 1_500_000,
  /** What a rule or a look at one schema counts. */
  stepWork: 75,
  /** For what the work does not count: far more than the work takes. */
  budgetMs: 30_000,
} as const;
