/** What a server sent, of which nothing is taken for granted. */
export type JsonRecord = Record<string, unknown>;

/** The value as an object; null: it is none. */
export function asRecord(value: unknown): JsonRecord | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonRecord) : null;
}

/** The object in a field; null: there is none. */
export function recordIn(record: JsonRecord | null, field: string): JsonRecord | null {
  return asRecord(record?.[field]);
}

/** The object that a text holds; empty where it is none, as a record that was cut off is. */
export function parseRecord(data: string): JsonRecord {
  try {
    return asRecord(JSON.parse(data)) ?? {};
  } catch {
    // What is missing then tells: a last record, or a field.
    return {};
  }
}
