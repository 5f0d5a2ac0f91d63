import { randomBytes } from 'node:crypto';
import type { Principal } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { KeptTexts } from '../core/kept.ts';
import { digestOf } from './keys.ts';
import { keptRights, plainRights } from './made-keys.ts';
import { invalidTicket, type Tickets, ticketMs } from './tickets.ts';

/** The owner of kept tickets: no principal is called so. */
const owner = 'tickets';

/**
 * Tickets that any replica takes back, whichever has issued them. What is kept is a digest of each. `clock`: those of replicas
 * differ by less than it matters here.
 */
export function createSharedTickets(kept: KeptTexts, clock: Pick<Clock, 'now'>): Tickets {
  return {
    async issue(holder) {
      const ticket = `tkt_${randomBytes(24).toString('base64url')}`;
      const expiresAt = new Date(clock.now().getTime() + ticketMs);
      const text = JSON.stringify({ ...plainPrincipal(holder), expiresAt });
      await kept.put({ id: idOf(ticket), owner, isOpen: false, text, log: null });
      return { ticket, expiresAt };
    },
    async redeem(ticket) {
      const id = idOf(ticket);
      const text = await kept.get(id, owner);
      // Of several that come with it at once, one has taken it away.
      if (text === null || !(await kept.remove(id, owner))) throw invalidTicket();
      const { holder, expiresAt } = readPrincipal(text);
      if (expiresAt <= clock.now()) throw invalidTicket();
      return holder;
    },
  };
}

function idOf(ticket: string): string {
  return `ticket ${digestOf(ticket)}`;
}

function plainPrincipal({ id, name, cacheOwner, address, tokenEndsAt, ...rights }: Principal): object {
  return { id, name, cacheOwner, address, tokenEndsAt: tokenEndsAt ?? null, rights: plainRights(rights) };
}

/** What `issue` wrote. */
function readPrincipal(text: string): { holder: Principal; expiresAt: Date } {
  const { id, name, cacheOwner, address, tokenEndsAt, rights, expiresAt } = JSON.parse(text);
  if (typeof id !== 'string' || typeof name !== 'string')
    throw new AppError('internal_error', 'A ticket cannot be read.');
  const holder = { id, name, cacheOwner, address, ...keptRights.parse(rights) };
  return {
    holder: tokenEndsAt === null ? holder : { ...holder, tokenEndsAt: new Date(tokenEndsAt) },
    expiresAt: new Date(expiresAt),
  };
}
