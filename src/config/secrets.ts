import type { Config } from './schema.ts';
import { isSecret } from './secret.ts';

/** Every text of a configuration that nobody may see: keys, tokens, addresses with a password. In no order, some twice. */
export function secretsOf(config: Config): string[] {
  const { server, pulls } = config;
  const plain = [...server.apiKeys, pulls.hubToken, pulls.hubProxy];
  return [...plain.filter((one) => one !== null), ...wrapped(config)];
}

/** The secrets that are wrapped as such, wherever they stand. */
function wrapped(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (isSecret(value)) return [value.reveal()];
  const inside = value instanceof Map ? value.values() : Object.values(value);
  return [...inside].flatMap(wrapped);
}
