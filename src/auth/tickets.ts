import { randomBytes } from 'node:crypto';
import type { Principal } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';

/** Long enough to open a connection with it, too short to be of use in a history or a log. */
export const ticketMs = 60_000;
const mostTickets = 1_000;

/** Tickets stand for a key where a key cannot be sent: in the address of a WebSocket or an event stream of a page. */
export interface Tickets {
  /** A new one for whoever asks for it. Rejects with `queue_full` when too many are unused. */
  issue(holder: Principal): Promise<{ ticket: string; expiresAt: Date }>;
  /** Takes a ticket back: it is good once. Rejects with `unauthorized` for one that is unknown, used or expired. */
  redeem(ticket: string): Promise<Principal>;
}

export function invalidTicket(): AppError {
  return new AppError('unauthorized', 'The ticket is not valid: it is good once, for a minute.');
}

/** Tickets live in memory only: a restart ends them. */
export function createTickets(clock: Pick<Clock, 'monotonicMs' | 'now'>): Tickets {
  // In the order in which they expire.
  const open = new Map<string, { holder: Principal; endsMs: number }>();

  function dropExpired(): void {
    const nowMs = clock.monotonicMs();
    for (const [ticket, { endsMs }] of open) {
      if (endsMs > nowMs) return;
      open.delete(ticket);
    }
  }

  return {
    async issue(holder) {
      dropExpired();
      if (open.size >= mostTickets) {
        throw new AppError('queue_full', 'Too many tickets are unused.', { retryAfterSeconds: ticketMs / 1_000 });
      }
      const ticket = `tkt_${randomBytes(24).toString('base64url')}`;
      open.set(ticket, { holder, endsMs: clock.monotonicMs() + ticketMs });
      return { ticket, expiresAt: new Date(clock.now().getTime() + ticketMs) };
    },
    async redeem(ticket) {
      dropExpired();
      // Found by its hash in the map: 192 random bits are not guessed by timing.
      const found = open.get(ticket);
      if (!found) throw invalidTicket();
      open.delete(ticket);
      return found.holder;
    },
  };
}
