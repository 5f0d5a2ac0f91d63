import type { StreamEvent } from '../core/events.ts';
import type { StepReport, WorkerItem } from '../ipc/protocol.ts';
import type { AnswerCheck, Finding, Task } from './answer/answer.ts';

/** An answer is made once more, and where its lists repeated themselves once again. */
const mostTries = { broken: 2, repeated: 3 };

/** A task whose answer is checked, and further tries at it. */
export interface CheckedTask {
  task: Task;
  check: AnswerCheck;
  /** `all`: nothing is shown before the end. `calls`: what comes before the first call is. */
  holds: 'all' | 'calls';
  /** The same request once more, made so that it does not end in the same way. `tries`: how many there were. */
  again: (finding: Finding, tries: number) => { task: Task; check: AnswerCheck };
}

/** Holds answers back until they are checked; one that broke its schema is made again, and then given up. */
export interface CheckedAnswers {
  add(checked: CheckedTask): void;
  /** The client has cancelled a request. */
  cancel(id: number): void;
  /** Takes what a step has to tell, and tells what may be told. */
  publish(items: WorkerItem[], report: StepReport | null): void;
}

interface Watched extends CheckedTask {
  tries: number;
  held: StreamEvent[];
  /** Something of it has been told. */
  isShown: boolean;
  isCancelled: boolean;
  /** What ends the try under way, once its end is confirmed. */
  found: Finding | null;
  /** Tokens of a try that came to nothing. */
  spentTokens: number;
}

/** `loop`: asked for anew each time, as it is made with `publish`. */
export function createCheckedAnswers(deps: {
  loop: () => { add(task: Task): void; cancel(id: number): void };
  publish: (items: WorkerItem[], report: StepReport | null) => void;
}): CheckedAnswers {
  const watched = new Map<number, Watched>();

  const readItem = (item: WorkerItem, hasEnded: (id: number) => boolean): WorkerItem[] => {
    const entry = watched.get(item.id);
    if (entry === undefined) return [item];
    if (!('event' in item)) {
      watched.delete(item.id);
      return [item];
    }
    return readEvent(item.id, item.event, entry, hasEnded);
  };

  const readEvent = (
    id: number,
    event: StreamEvent,
    entry: Watched,
    hasEnded: (id: number) => boolean,
  ): WorkerItem[] => {
    if (entry.found === null && !entry.isCancelled) {
      entry.found = entry.check.read(event);
      // Nothing that it still writes can be right. One that is over would take its next try with it.
      if (entry.found !== null && !hasEnded(id)) deps.loop().cancel(id);
    }
    if (event.type === 'finish') return finish(id, event, entry);
    if (entry.found !== null) return [];
    entry.held.push(event);
    return entry.holds === 'calls' && !entry.held.some(({ type }) => type === 'tool-call-start')
      ? release(
          id,
          entry,
          entry.held.some(({ type }) => type === 'text-delta' || type === 'reasoning-delta'),
        )
      : [];
  };

  const release = (id: number, entry: Watched, isWanted: boolean): WorkerItem[] => {
    if (!isWanted && !entry.isShown) return [];
    entry.isShown = true;
    return entry.held.splice(0).map((event) => ({ id, event }));
  };

  const finish = (id: number, event: Extract<StreamEvent, { type: 'finish' }>, entry: Watched): WorkerItem[] => {
    const { found } = entry;
    const spentTokens = entry.spentTokens + (event.usage.outputTokens ?? 0);
    if (found === null || entry.isCancelled) {
      watched.delete(id);
      return [
        ...release(id, entry, true),
        { id, event: { ...event, usage: { ...event.usage, outputTokens: spentTokens } } },
      ];
    }
    const most = found.repeated === null ? mostTries.broken : mostTries.repeated;
    if (entry.tries >= most || entry.isShown) {
      watched.delete(id);
      return [{ id, error: found.error.toWire() }];
    }
    const { task, check } = entry.again(found, entry.tries);
    watched.set(id, { ...entry, check, tries: entry.tries + 1, held: [], found: null, spentTokens });
    deps.loop().add(task);
    return [];
  };

  return {
    add(checked) {
      const state = { tries: 1, held: [], isShown: false, isCancelled: false, found: null, spentTokens: 0 };
      watched.set(checked.task.id, { ...checked, ...state });
      deps.loop().add(checked.task);
    },
    cancel(id) {
      const entry = watched.get(id);
      if (entry !== undefined) entry.isCancelled = true;
      deps.loop().cancel(id);
    },
    publish(items, report) {
      const ended = new Set(
        items.flatMap((item) => ('event' in item && item.event.type === 'finish' ? [item.id] : [])),
      );
      const told = items.flatMap((item) => readItem(item, (id) => ended.has(id)));
      if (told.length > 0 || report !== null) deps.publish(told, report);
    },
  };
}
