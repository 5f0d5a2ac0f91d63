import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** All addresses of a host name. */
export type LookUpHost = (hostname: string) => Promise<{ address: string; family: number }[]>;

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

/** The host of a URL without the brackets of IPv6 and without the dot that ends a full name. */
export function bareHost(url: URL): string {
  return url.hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/**
 * A `lookup` for Node's requests: resolves a name once and lets the connection use only those addresses, so that the address
 * that was checked is the one that is connected to. `check` throws for one that must not be reached; then none is.
 */
export function lookupOf(
  check: (address: string, hostname: string) => void,
  lookUp: LookUpHost = (hostname) => systemLookup(hostname, { all: true }),
): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname).then(
      (addresses) => {
        try {
          for (const { address } of addresses) check(address, hostname);
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
