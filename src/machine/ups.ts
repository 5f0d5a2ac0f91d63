import { connect as connectSocket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { PowerState, UpsAddress } from '../core/machine.ts';
import type { Logger } from '../observe/logger.ts';

const timeoutMs = 5_000;
/** So long the last word of a server counts that is away; it may be away because the power is. */
const lastWordMs = 600_000;

/** A UPS that a server of Network UPS Tools (NUT) knows. */
export interface Ups {
  /** Its state; null: the server is away and was not heard for ten minutes. Never rejects. */
  read(): Promise<PowerState | null>;
}

/**
 * Asks a NUT server over its own protocol, in lines of text; no login is needed to read. A server that is away, or does not know the
 * UPS, is said once in the log, and once that it is back. One connection for each reading: nothing is to be noticed, and
 * nothing is left open.
 */
export function createUps(deps: {
  address: UpsAddress;
  clock: Pick<Clock, 'monotonicMs' | 'after'>;
  log: Pick<Logger, 'warn' | 'info'>;
}): Ups {
  const { address, clock, log } = deps;
  const ups = `${address.name}@${address.host}:${address.port}`;
  let last: { state: PowerState; atMs: number } | null = null;
  let isAway = false;
  return {
    async read() {
      try {
        const state = await ask(address, clock);
        last = { state, atMs: clock.monotonicMs() };
        if (isAway) log.info({ ups }, 'the UPS is known again');
        isAway = false;
        return state;
      } catch (err) {
        const reason = err instanceof Error ? err.message : String(err);
        if (!isAway) log.warn({ ups, reason }, 'nothing is known of the UPS; batches go on as before');
        isAway = true;
        return last !== null && clock.monotonicMs() - last.atMs < lastWordMs ? last.state : null;
      }
    },
  };
}

const mostCharacters = 4_096;

/**
 * One reading: `VAR NAME ups.status "VALUE"` is the answer, where quotes and backslashes have a backslash before them. Rejects where
 * there is none.
 */
function ask({ host, port, name }: UpsAddress, clock: Pick<Clock, 'after'>): Promise<PowerState> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host, port });
    const late = clock.after(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.on('close', () => {
      late.cancel();
      reject(new Error('the connection was closed'));
    });
    socket.on('data', (piece: string) => {
      text = (text + piece).slice(0, mostCharacters);
      const [line, ...rest] = text.split('\n');
      if (rest.length === 0 && text.length < mostCharacters) return;
      socket.removeAllListeners('data').resume();
      const [, of, value] = /^VAR (\S+) ups\.status "((?:[^"\\]|\\.)*)"\r?$/.exec(line!) ?? [];
      if (of === name) resolve(stateOf(value!.replace(/\\(.)/g, '$1')));
      else reject(new Error(`the server said ${line!.slice(0, 80)}`));
      socket.end('LOGOUT\n');
    });
    socket.write(`GET VAR ${name} ups.status\n`);
  });
}

/** Of words such as `OL CHRG`, `OB DISCHRG LB`, `FSD OB`. */
function stateOf(status: string): PowerState {
  const words = new Set(status.split(' '));
  // Forced shutdown: whoever watches the UPS has begun to end machines.
  if (words.has('LB') || words.has('FSD')) return 'low';
  return words.has('OB') ? 'battery' : 'mains';
}
