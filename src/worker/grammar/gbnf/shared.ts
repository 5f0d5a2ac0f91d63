/** Rules that most JSON grammars share, with the ones that each needs. */
export const sharedRules: Readonly<Record<string, { body: string; uses: readonly string[] }>> = {
  // The line break comes once and the indent ends: a model that may write blanks for ever sometimes does.
  ws: { body: '(" " | "\\n" [ \\t]{0,20})?', uses: [] },
  colon: { body: '":" " "?', uses: [] },
  hex: { body: '[0-9a-fA-F]', uses: [] },
  // One character of a string. Escaped surrogates come in pairs only: half a pair has no UTF-8 form.
  char: { body: '[^"\\\\\\x00-\\x1F] | "\\\\" escape', uses: ['escape'] },
  escape: { body: '["\\\\/bfnrt] | "u" unicode', uses: ['unicode'] },
  unicode: {
    body: '[0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2} | [dD] [89abAB] hex{2} "\\\\u" [dD] [c-fC-F] hex{2}',
    uses: ['hex'],
  },
  string: { body: '"\\"" char* "\\""', uses: ['char'] },
  // Digits and exponent are bounded, so that no text stands for infinity.
  integer: { body: '"-"? ("0" | [1-9] [0-9]{0,15})', uses: [] },
  number: { body: 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?', uses: ['integer'] },
  boolean: { body: '"true" | "false"', uses: [] },
  null: { body: '"null"', uses: [] },
  member: { body: 'string colon value', uses: ['string', 'colon', 'value'] },
  object: { body: '"{" ws (member ("," ws member)* ws)? "}"', uses: ['ws', 'member'] },
  array: { body: '"[" ws (value ("," ws value)* ws)? "]"', uses: ['ws', 'value'] },
  value: {
    body: 'object | array | string | number | boolean | null',
    uses: ['object', 'array', 'string', 'number', 'boolean', 'null'],
  },
};
