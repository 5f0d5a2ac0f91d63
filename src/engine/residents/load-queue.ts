import { AppError, toAppError } from '../../core/errors.ts';
import type { LoadOutcome, LoadPlan, LoadRefusal } from '../memory/memory.ts';
import { decideRoom, type Occupant } from './room.ts';

/** Memory for one load. Disposing of it, once the load is over, well or not, lets the next one begin. */
export interface Grant extends Disposable {
  plan: LoadPlan;
}

/** The line of loads: one at a time, in the order they were asked for. */
export interface LoadQueue {
  /**
   * Waits for the turn and the memory. Rejects with what `refuse` makes of a refusal, or with the reason of the signal.
   * `isBackground`: nobody waits for it; it takes no memory of models that people use, and rejects with `gaveWay` where it
   * would have to.
   */
  enter(plan: Waiter['plan'], refuse: Waiter['refuse'], signal: AbortSignal, isBackground?: boolean): Promise<Grant>;
  /** Room may have appeared, or a model has become idle. */
  roomChanged(): void;
}

interface Waiter {
  /** Plans with the memory of this moment plus that many bytes. */
  plan: (reclaimableBytes: number) => LoadOutcome;
  refuse: (refusal: LoadRefusal) => Error;
  granted: PromiseWithResolvers<Grant>;
  isBackground: boolean;
  /** How many that came later were let past. */
  overtaken: number;
}

/** There is no room beside the models that people use, and those do not go for what nobody waits for. */
export const gaveWay = new AppError('model_busy', 'The memory is taken by models that people use.', {
  retryAfterSeconds: 30,
});

/**
 * Those who wait for working models let others past that fit beside them, so that a small model is not held up by a
 * large one. After this many the line stands still until the first has its room, so that it gets it some day.
 */
const mostOvertakes = 8;

/** `evict` ends an idle model, `exitOf` gives the end of one that is leaving; both settle when the process is gone. */
export function createLoadQueue(deps: {
  occupants: () => Occupant[];
  evict: (id: string) => Promise<void>;
  exitOf: (id: string) => Promise<void>;
}): LoadQueue {
  const line: Waiter[] = [];
  /** A load is under way, or a process is being waited for. */
  let occupied = false;

  const grant = (waiter: Waiter, plan: LoadPlan) => {
    occupied = true;
    line.splice(line.indexOf(waiter), 1);
    let over = false;
    waiter.granted.resolve({
      plan,
      [Symbol.dispose]() {
        if (over) return;
        over = true;
        occupied = false;
        advance();
      },
    });
  };
  const waitFor = (exit: Promise<void>) => {
    occupied = true;
    const next = () => {
      occupied = false;
      advance();
    };
    exit.then(next, next);
  };

  /** What nobody waits for neither sends models of people away nor waits for working ones, before those who come later. */
  const decide = (waiter: Waiter): ReturnType<typeof decideRoom> => {
    const occupants = deps.occupants();
    const asked = decideRoom(waiter.plan, occupants);
    if (!waiter.isBackground || asked.type === 'refuse') return asked;
    const kept = occupants.map((one) =>
      one.state === 'idle' && one.isOfPeople ? { ...one, state: 'pinned' as const } : one,
    );
    const polite = decideRoom(waiter.plan, kept);
    return polite.type === 'refuse' ? { type: 'await-idle' } : polite;
  };

  /** Takes the next step of the line; every decision is made with the readings of this moment. */
  const advance = () => {
    while (!occupied && line[0]) {
      const first = line[0];
      try {
        const decision = decide(first);
        if (decision.type === 'load') grant(first, decision.plan);
        else if (decision.type === 'evict') waitFor(deps.evict(decision.id));
        else if (decision.type === 'await-exit') waitFor(deps.exitOf(decision.id));
        else if (decision.type === 'refuse') turnAway(first, first.refuse(decision.refusal));
        else if (first.isBackground) turnAway(first, gaveWay);
        else return letPast(first);
      } catch (error) {
        turnAway(first, toAppError(error));
      }
    }
  };
  const turnAway = (waiter: Waiter, reason: Error) => {
    line.splice(line.indexOf(waiter), 1);
    waiter.granted.reject(reason);
  };
  /** The first has to wait for a working model: one that fits as things are need not. */
  const letPast = (first: Waiter) => {
    if (first.overtaken >= mostOvertakes) return;
    for (const waiter of line.slice(1)) {
      const decision = decide(waiter);
      if (decision.type === 'refuse') turnAway(waiter, waiter.refuse(decision.refusal));
      if (decision.type !== 'load') continue;
      first.overtaken++;
      return grant(waiter, decision.plan);
    }
  };

  return {
    enter(plan, refuse, signal, isBackground = false) {
      const waiter: Waiter = { plan, refuse, granted: Promise.withResolvers<Grant>(), isBackground, overtaken: 0 };
      if (signal.aborted) return Promise.reject(toAppError(signal.reason));
      line.push(waiter);
      const onAbort = () => {
        // It may have got its turn in this very moment.
        if (!line.includes(waiter)) return;
        turnAway(waiter, toAppError(signal.reason));
        advance();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const granted = waiter.granted.promise.finally(() => signal.removeEventListener('abort', onAbort));
      advance();
      return granted;
    },
    roomChanged: advance,
  };
}
