import { isIP, type LookupFunction } from 'node:net';
import { AppError } from '../../core/errors.ts';
import { bareHost, isPrivateAddress, type LookUpHost, lookupOf } from '../../wire/addresses.ts';

/** Which hosts a pull may talk to. */
export interface HostRules {
  /** Base address of the hub. */
  endpoint: URL;
  /** Host names that are allowed beside it, each with everything under it. */
  hosts: readonly string[];
  /** Whether addresses of this machine and of its networks are allowed. */
  allowPrivate: boolean;
}

/** Where the hub keeps large files; it redirects there. */
export const hubCdnHosts: readonly string[] = ['huggingface.co', 'hf.co'];

/**
 * Refuses a URL that a pull must not open: other schemes, names and passwords, hosts that are not allowed, plain HTTP
 * where the hub itself has HTTPS, addresses that are not public. The URL is parsed, so other spellings of an
 * address (`0x7f.1`) are folded already. Throws `hub_answer_invalid` with `details.reason`.
 */
export function assertAllowedUrl(url: URL, rules: HostRules): void {
  const refuse = (reason: string, message: string, fix?: string) =>
    new AppError('hub_answer_invalid', message, { details: { reason, host: url.hostname }, ...(fix && { fix }) });
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && rules.endpoint.protocol === 'http:')) {
    throw refuse('scheme_refused', 'The hub leads to an address that does not use HTTPS.');
  }
  if (url.username !== '' || url.password !== '') {
    throw refuse('host_refused', 'The hub leads to an address with a user name.');
  }
  const host = bareHost(url);
  const isAllowed =
    host === bareHost(rules.endpoint) || rules.hosts.some((name) => host === name || host.endsWith(`.${name}`));
  if (!isAllowed) {
    throw refuse(
      'host_refused',
      `The hub leads to ${host}, which is not an allowed host.`,
      'Add it to models.pull_hosts if you trust it.',
    );
  }
  if (isIP(host) !== 0) assertAllowedAddress(host, host, rules);
}

/** A `lookup` for Node's requests that refuses names with an address that a pull must not reach. */
export function checkedLookup(rules: HostRules, lookUp?: LookUpHost): LookupFunction {
  return lookupOf((address, host) => assertAllowedAddress(address, host, rules), lookUp);
}

function assertAllowedAddress(address: string, host: string, rules: HostRules): void {
  if (rules.allowPrivate || !isPrivateAddress(address)) return;
  throw new AppError('hub_answer_invalid', `The host ${host} has an address of this machine or of a private network.`, {
    details: { reason: 'private_address', host },
    fix: 'Set models.pull_allow_private if your hub is in your own network.',
  });
}
