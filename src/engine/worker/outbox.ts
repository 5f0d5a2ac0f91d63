import type { FromWorker } from '../ipc/protocol.ts';

/** Messages to the server that wait until the cores are at work on the next step. */
export interface Outbox {
  post(message: FromWorker): void;
  /** Sends what waits, at once. */
  flush(): void;
}

/**
 * Writing a message takes a tenth of a millisecond and wakes the server on the cores that decode, so a step's events are
 * not sent between two steps but during the next one. `later` runs its argument once the next decode call is on its
 * way; the order of messages is kept.
 */
export function createOutbox(
  send: (message: FromWorker) => void,
  later: (run: () => void) => void = afterDispatch,
): Outbox {
  let waiting: FromWorker[] = [];
  const flush = () => {
    const messages = waiting;
    waiting = [];
    for (const message of messages) send(message);
  };
  return {
    post(message) {
      waiting.push(message);
      if (waiting.length === 1) later(flush);
    },
    flush,
  };
}

/** The library dispatches a batch in the next turn of the event loop; the turn after that it is running. */
function afterDispatch(run: () => void): void {
  setImmediate(() => setImmediate(run));
}
