import type { JsonSchema } from './json-schema.ts';
import { redacted } from './secret.ts';

/**
 * A value of the file without its secrets: what the schema marks as one is left out, and so is what the schema does not
 * know. A text that only names a variable is shown: it says where the secret comes from.
 */
export function redact(value: unknown, schema: JsonSchema | undefined): unknown {
  if (schema === undefined) return redacted;
  const choices = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  if (schema.writeOnly || choices.some(({ writeOnly }) => writeOnly)) return isVariable(value) ? value : redacted;
  if (typeof value !== 'object' || value === null) return value;
  const own = schema.properties || schema.items || schema.additionalProperties ? [schema] : [];
  const fitting = [...own, ...choices];
  if (Array.isArray(value)) {
    const items = fitting.find((one) => one.items)?.items;
    return value.map((item) => redact(item, items));
  }
  const record = fitting.find((one) => one.properties || typeof one.additionalProperties === 'object');
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const others = record?.additionalProperties;
      const known = Object.hasOwn(record?.properties ?? {}, key) ? record?.properties?.[key] : undefined;
      return [key, redact(item, known ?? (typeof others === 'object' ? others : undefined))];
    }),
  );
}

function isVariable(value: unknown): boolean {
  return typeof value === 'string' && /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(value);
}
