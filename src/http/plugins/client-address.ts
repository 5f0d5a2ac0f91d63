import { BlockList, isIP, isIPv4 } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/schema.ts';
import type { Logger } from '../../observe/logger.ts';
import { headerValues } from './headers.ts';
import { atOnce } from './hooks.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Network address of the client, as far as it can be believed; null: its socket is gone. */
    address: string | null;
  }
}

const header = 'x-forwarded-for';
/** Proxies in a row; nobody has more, and a header may be long. */
const mostHops = 32;

/**
 * Finds where each request comes from: the peer of its socket or, where that is one of `server.trusted_proxies`, whoever
 * `X-Forwarded-For` names last that is none of them. What stands before that was written by the client itself. The header of any
 * other peer is not believed, which the log says once: whoever has a proxy and forgot the setting has one address for all.
 */
export function addClientAddress(
  app: FastifyInstance,
  { config, log }: { config: Pick<Config, 'server'>; log: Pick<Logger, 'warn'> },
): void {
  const trusted = trustedList(config.server.trustedProxies);
  let hasWarned = false;
  app.decorateRequest('address', null);
  app.addHook(
    'onRequest',
    atOnce((request) => {
      const peer = plain(request.raw.socket.remoteAddress ?? '');
      const forwarded = headerValues(request.raw, header);
      if (peer === null || forwarded.length === 0) {
        request.address = peer;
        return;
      }
      if (isTrusted(trusted, peer)) {
        request.address = lastUntrusted(trusted, peer, forwarded);
        return;
      }
      request.address = peer;
      if (hasWarned) return;
      hasWarned = true;
      log.warn(
        { peer },
        'X-Forwarded-For comes from an address that is not in server.trusted_proxies and is not believed: list your proxy there, so that limits see its clients',
      );
    }),
  );
}

/** `list`: addresses and networks, checked by the configuration. */
export function trustedList(list: readonly string[]): BlockList {
  const trusted = new BlockList();
  for (const entry of list) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return trusted;
}

function isTrusted(trusted: BlockList, address: string): boolean {
  return trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** From the right: each proxy has written whom it was asked by. Something that is no address ends what can be believed. */
function lastUntrusted(trusted: BlockList, peer: string, forwarded: readonly string[]): string {
  let last = peer;
  const hops = forwarded.join(',').split(',').slice(-mostHops).reverse();
  for (const hop of hops) {
    const address = plain(hop.trim());
    if (address === null) return last;
    last = address;
    if (!isTrusted(trusted, address)) return last;
  }
  return last;
}

/** Without port, brackets, zone, and the form in which IPv6 has addresses of IPv4; null: it is no address. */
function plain(text: string): string | null {
  // As most sockets have it.
  if (isIPv4(text)) return text;
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  const address = bare.split('%', 1)[0]!.toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  const found = mapped ?? address;
  return isIP(found) === 0 ? null : found;
}
