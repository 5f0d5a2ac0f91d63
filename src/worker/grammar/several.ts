/** Values of one keyword that all hold: what an `allOf` says twice, where no single value says both. */
export class Several {
  readonly values: readonly unknown[];

  constructor(values: readonly unknown[]) {
    this.values = values;
  }
}

/** The values that a keyword has. */
export function valuesOf(value: unknown): readonly unknown[] {
  return value === undefined ? [] : value instanceof Several ? value.values : [value];
}

/** Both values; equal ones are one. */
export function several(a: unknown, b: unknown): unknown {
  const all = new Map([...valuesOf(a), ...valuesOf(b)].map((value) => [JSON.stringify(value), value]));
  return all.size === 1 ? a : new Several([...all.values()]);
}
