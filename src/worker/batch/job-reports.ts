import { type AppError, toAppError } from '../../core/errors.ts';
import type { FinishReason, StreamEvent } from '../../core/events.ts';
import type { WorkerItem } from '../../ipc/protocol.ts';
import type { Job } from '../answer/answer.ts';
import { freeSlot, type Slot } from './slots.ts';

/** What jobs have to tell, from the end of one step to the end of the next. */
export interface JobReports {
  tell(job: Job, events: readonly StreamEvent[]): void;
  /** Fails a job that has no slot, or whose slot is about to be freed. */
  refuse(job: Job, error: AppError): void;
  /** Ends the job of a slot early, and frees the slot. */
  end(slot: Slot, reason: FinishReason): Promise<void>;
  /** Fails the job of a slot after a failed call, and frees the slot without its state. */
  fail(slot: Slot, reason: unknown): Promise<void>;
  /** What was told since the last call of this. */
  take(): WorkerItem[];
}

/** `log` takes a line for the operator; the library's own words never reach a client. */
export function createJobReports(deps: { log: (line: string) => void }): JobReports {
  let items: WorkerItem[] = [];

  const tell = ({ id }: Job, events: readonly StreamEvent[]) => {
    for (const event of events) items.push({ id, event });
  };
  const refuse = ({ id }: Job, error: AppError) => {
    items.push({ id, error: error.toWire() });
  };

  return {
    tell,
    refuse,
    async end(slot, reason) {
      const job = slot.job!;
      tell(job, job.finish(reason));
      await freeSlot(slot);
    },
    async fail(slot, reason) {
      deps.log(`slot ${slot.index}: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
      refuse(slot.job!, toAppError(reason));
      await freeSlot(slot);
      // What the failed call left in the context is unknown.
      await slot.sequence.reset();
    },
    take() {
      const taken = items;
      items = [];
      return taken;
    },
  };
}
