/** JSON of the wire: read by hand, since what a service sends is never quite what its types say. */
export type Json = Record<string, unknown>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object, or an empty one where there is none. */
export function jsonAt(value: unknown, key: string): Json {
  const found = isJson(value) ? value[key] : undefined;
  return isJson(found) ? found : {};
}

export function listAt(value: unknown, key: string): unknown[] {
  const found = isJson(value) ? value[key] : undefined;
  return Array.isArray(found) ? found : [];
}

/** A text that is not empty, or null. */
export function textAt(value: unknown, key: string): string | null {
  const found = isJson(value) ? value[key] : undefined;
  return typeof found === 'string' && found !== '' ? found : null;
}

/** A finite number that is not negative, or null. */
export function countAt(value: unknown, key: string): number | null {
  const found = isJson(value) ? value[key] : undefined;
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : null;
}
