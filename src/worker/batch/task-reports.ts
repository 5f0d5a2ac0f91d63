import { type AppError, toAppError } from '../../core/errors.ts';
import type { FinishReason, StreamEvent } from '../../core/events.ts';
import type { PrefixTier, WorkerItem } from '../../ipc/protocol.ts';
import type { Task } from '../answer/answer.ts';
import { freeSlot, type Slot } from './slots.ts';

/** What tasks have to tell, from the end of one step to the end of the next. */
export interface TaskReports {
  tell(task: Task, events: readonly StreamEvent[]): void;
  /** Fails a task that has no slot, or whose slot is about to be freed. */
  refuse(task: Task, error: AppError): void;
  /** Ends the task of a slot early, and frees the slot. */
  end(slot: Slot, reason: FinishReason): Promise<void>;
  /** Fails the task of a slot after a failed call, and frees the slot without its state. */
  fail(slot: Slot, reason: unknown): Promise<void>;
  /** A task has begun, and this is where the beginning of its prompt came from. */
  began(tier: PrefixTier): void;
  /** What was told since the last call of this. */
  take(): WorkerItem[];
  /** The beginnings since the last call of this. */
  takePrefixes(): PrefixTier[];
}

/** `log` takes a line for the operator; the library's own words never reach a client. */
export function createTaskReports(deps: { log: (line: string) => void }): TaskReports {
  let items: WorkerItem[] = [];
  let prefixes: PrefixTier[] = [];

  const tell = ({ id }: Task, events: readonly StreamEvent[]) => {
    for (const event of events) items.push({ id, event });
  };
  const refuse = ({ id }: Task, error: AppError) => {
    items.push({ id, error: error.toWire() });
  };

  return {
    tell,
    refuse,
    began(tier) {
      prefixes.push(tier);
    },
    async end(slot, reason) {
      const task = slot.task!;
      tell(task, task.finish(reason));
      await freeSlot(slot);
    },
    async fail(slot, reason) {
      deps.log(`slot ${slot.index}: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
      refuse(slot.task!, toAppError(reason));
      await freeSlot(slot);
      // What the failed call left in the context is unknown.
      await slot.sequence.reset();
    },
    takePrefixes() {
      const taken = prefixes;
      prefixes = [];
      return taken;
    },
    take() {
      const taken = items;
      items = [];
      return taken;
    },
  };
}
