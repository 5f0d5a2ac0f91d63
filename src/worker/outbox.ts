import type { StreamEvent } from '../core/events.ts';
import type { FromWorker, WorkerItem, WorkerStep } from '../ipc/protocol.ts';

/** Steps that wait to be told to the server. */
interface Outbox {
  post(step: WorkerStep): void;
  /** Sends what waits, at once. */
  flush(): void;
}

/**
 * Text that comes 25 times a second flows for its reader. Each message costs half a millisecond of the cores that decode
 * (two virtual ones of a Xeon), most of it for waking up, and hardly more when it brings five tokens instead of one.
 */
const mostHeldMs = 40;

/**
 * Writing a message wakes the server, and through it the client, on the cores that decode. Three things keep that away
 * from the model:
 * 1. A step is not told between two steps but during the next one: `later` runs its argument once that is on its way.
 * 2. Where steps are fast, several are told in one message, none later than 40 ms after its end.
 * 3. Pieces of one text that travel together become one piece: each is an event, a record and a write all the way.
 * What is more than the next piece of a text (a beginning, an end, a failure) goes at once, with everything that waits:
 * somebody waits for it, and during the next step it would wait for a core.
 * The order stays. `after`: runs its argument after so many milliseconds unless the returned function is called before.
 */
export function createOutbox(
  send: (message: FromWorker) => void,
  deps: {
    later: (run: () => void) => void;
    after: (delayMs: number, run: () => void) => () => void;
    nowMs: () => number;
  } = { later: afterDispatch, after: afterDelay, nowMs: () => performance.now() },
): Outbox {
  let waiting: WorkerStep[] = [];
  let oldestMs = 0;
  let isLeaving = false;
  let cancelTimer: (() => void) | null = null;

  const flush = () => {
    isLeaving = false;
    cancelTimer?.();
    cancelTimer = null;
    const steps = joinTexts(waiting);
    waiting = [];
    if (steps.length === 1) send({ type: 'step', ...steps[0]! });
    else if (steps.length > 1) send({ type: 'steps', steps });
  };

  return {
    post(step) {
      const nowMs = deps.nowMs();
      if (waiting.length === 0) oldestMs = nowMs;
      waiting.push(step);
      // Between two steps there is nobody to disturb: during the next one this would wait for a core.
      if (!onlyGoesOn(step)) return flush();
      if (isLeaving) return;
      // The next step will take about as long as this one: would it still be in time?
      const heldMs = nowMs - oldestMs;
      const canWait = step.report !== null && heldMs + step.report.milliseconds <= mostHeldMs;
      if (!canWait) {
        isLeaving = true;
        deps.later(() => {
          // A beginning or an end may have taken all along meanwhile.
          if (isLeaving) flush();
        });
      } else cancelTimer ??= deps.after(mostHeldMs, flush);
    },
    flush,
  };
}

/** The same steps, in which every piece of a text or of reasoning that follows another one stands behind it. */
function joinTexts(steps: readonly WorkerStep[]): WorkerStep[] {
  /** What each request got last; its text may still grow. */
  const latest = new Map<number, StreamEvent>();
  const join = (item: WorkerItem): WorkerItem[] => {
    if (!('event' in item)) return [item];
    const before = latest.get(item.id);
    const { event } = item;
    if (isText(event) && before && isText(before) && before.type === event.type && before.blockId === event.blockId) {
      before.text += event.text;
      return [];
    }
    const own = { ...event };
    latest.set(item.id, own);
    return [{ id: item.id, event: own }];
  };
  return steps.map(({ items, report }) => ({ items: items.flatMap(join), report }));
}

function isText(event: StreamEvent) {
  return event.type === 'text-delta' || event.type === 'reasoning-delta';
}

/** Whether a step only brings the next pieces of what its readers are reading already. */
function onlyGoesOn({ items }: WorkerStep): boolean {
  return items.every(
    (item) => 'event' in item && (item.event.type.endsWith('-delta') || item.event.type === 'logprobs'),
  );
}

/** The library dispatches a batch in the next turn of the event loop; the turn after that it is running. */
function afterDispatch(run: () => void): void {
  setImmediate(() => setImmediate(run));
}

function afterDelay(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}
