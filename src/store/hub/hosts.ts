import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AppError } from '../../core/errors.ts';

/** Which hosts a pull may talk to. */
export interface HostRules {
  /** Base address of the hub. */
  endpoint: URL;
  /** Host names that are allowed beside it, each with everything under it. */
  hosts: readonly string[];
  /** Whether addresses of this machine and of its networks are allowed. */
  allowPrivate: boolean;
}

/** All addresses of a host name. */
export type LookUpHost = (hostname: string) => Promise<{ address: string; family: number }[]>;

/** Where the hub keeps large files; it redirects there. */
export const hubCdnHosts: readonly string[] = ['huggingface.co', 'hf.co'];

/** Not of the public internet: this host, private and shared ranges, link-local, documentation, multicast, reserved. */
const notPublicIpv4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;
/** The same for IPv6, with 6to4 and local translation, whose inner address nobody checks. */
const notPublicIpv6 = [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

const notPublic = new BlockList();
for (const [address, bits] of notPublicIpv4) {
  notPublic.addSubnet(address, bits, 'ipv4');
  // Networks that translate addresses (NAT64) show IPv4 hosts under this prefix; mapped ones the list knows itself.
  notPublic.addSubnet(`64:ff9b::${address}`, 96 + bits, 'ipv6');
}
for (const [address, bits] of notPublicIpv6) notPublic.addSubnet(address, bits, 'ipv6');

/** Whether an IP address is one of this machine, of a private network, or of no use at all. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  return family === 0 || notPublic.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

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

/**
 * A `lookup` for Node's requests: resolves a name once, refuses it when any of its addresses is not public, and lets
 * the connection use only those addresses.
 */
export function checkedLookup(rules: HostRules, lookUp: LookUpHost = systemHosts): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname).then(
      (addresses) => {
        try {
          for (const { address } of addresses) assertAllowedAddress(address, hostname, rules);
          const wanted = addresses.filter(({ family }) => !options.family || family === options.family);
          const first = wanted[0];
          if (!first) throw Object.assign(new Error('no address of this family'), { code: 'ENOTFOUND' });
          if (options.all) callback(null, wanted);
          else callback(null, first.address, first.family);
        } catch (error) {
          callback(error as Error, '', 0);
        }
      },
      (error: Error) => callback(error, '', 0),
    );
  };
}

function assertAllowedAddress(address: string, host: string, rules: HostRules): void {
  if (rules.allowPrivate || !isPrivateAddress(address)) return;
  throw new AppError('hub_answer_invalid', `The host ${host} has an address of this machine or of a private network.`, {
    details: { reason: 'private_address', host },
    fix: 'Set models.pull_allow_private if your hub is in your own network.',
  });
}

/** Without the brackets of IPv6 and without the dot that ends a full name. */
function bareHost(url: URL): string {
  return url.hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

const systemHosts: LookUpHost = (hostname) => systemLookup(hostname, { all: true });
