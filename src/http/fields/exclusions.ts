/**
 * For the schema of a body: a field that may not stand beside another, at all or where that has a value. Zod does not see
 * it; whoever reads the body does, and says why.
 */
export function excludes(field: string, other: string, value?: boolean) {
  return {
    not: { required: [field, other], ...(value !== undefined && { properties: { [other]: { const: value } } }) },
  };
}

/** For the schema of a body: a field that is there and neither null nor `empty`, where that says as little. */
export function isGiven(field: string, empty?: '' | []) {
  const nothing = empty === undefined ? { type: 'null' as const } : { enum: [null, empty] };
  return { required: [field], not: { properties: { [field]: nothing } } };
}

/** For the schema of a body: at least one of these fields, as a text that says something. */
export function needsText(...fields: readonly string[]) {
  return {
    anyOf: fields.map((field) => ({
      required: [field],
      properties: { [field]: { type: 'string' as const, minLength: 1 } },
    })),
  };
}

/** For the schema of a body: a field that may only have other than its `harmless` values where another one is true. */
export function needsTrue(field: string, harmless: readonly (boolean | number | null)[], other: string) {
  return {
    anyOf: [
      { required: [other], properties: { [other]: { const: true } } },
      { properties: { [field]: { enum: [...harmless] } } },
    ],
  };
}
