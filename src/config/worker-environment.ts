import type { Environment } from './env.ts';
import type { Config } from './schema.ts';
import { secretsOf } from './secrets.ts';

/** How variables are called that hold secrets, ours and those of other programs. */
const secretNames = /^(HEARTH|AWS)_|(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|CREDENTIAL|AUTH)S?(_|$)/i;
/** An address with a password in it. */
const passwordInAddress = /:\/\/[^/\s]*:[^/\s]+@/;
/** A shorter value that stands in a secret is there by chance. */
const shortestSecret = 8;

/**
 * What a process with a model gets of the server's environment: library paths and whatever else drivers read, and nothing
 * that looks like a secret or is one of this configuration. It evaluates files that strangers wrote, and needs no key.
 */
export function workerEnvironment(env: Environment, config: Config): Record<string, string> {
  const secrets = secretsOf(config);
  const isSecret = (name: string, value: string) =>
    secretNames.test(name) ||
    passwordInAddress.test(value) ||
    secrets.some((secret) => secret === value || (value.length >= shortestSecret && secret.includes(value)));
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || isSecret(name, value) ? [] : [[name, value]],
    ),
  );
}
