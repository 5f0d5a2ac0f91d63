/**
 * For the schema of a body: a field that may not stand beside another, at all or where that has a value. Zod does not see
 * it; whoever reads the body does, and says why.
 */
export function excludes(field: string, other: string, value?: boolean) {
  return {
    not: { required: [field, other], ...(value !== undefined && { properties: { [other]: { const: value } } }) },
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
