import { AppError } from './errors.ts';

/** The header that says through which servers of Hearth a request came, the first one first, by ids of their processes. */
export const viaHeader = 'x-hearth-via';

/** Most servers in a row that a request may pass through. */
const mostHops = 4;
const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Ids of the servers that a request has passed through, by that header. What is no id is no server. */
export function readHops(header: string | undefined): readonly string[] {
  if (header === undefined) return [];
  return header
    .split(',')
    .map((id) => id.trim())
    .filter((id) => idPattern.test(id));
}

/** Throws `loop_detected` for a request that was here before, or that has passed through too many. `own`: id of this process. */
export function assertNoLoop(hops: readonly string[], own: string): void {
  if (hops.includes(own)) {
    throw new AppError('loop_detected', 'The request has come back to this server, through other servers of Hearth.', {
      fix: 'Two of them have each other as a provider: ask for a model by a name that only one of them knows.',
      details: { hops: hops.length },
    });
  }
  if (hops.length >= mostHops) {
    throw new AppError('loop_detected', `The request has passed through ${hops.length} servers of Hearth.`, {
      fix: `No more than ${mostHops} may stand in a row.`,
      details: { hops: hops.length },
    });
  }
}

/** That header for the next server. */
export function viaOf(hops: readonly string[], own: string): string {
  return [...hops, own].join(',');
}
