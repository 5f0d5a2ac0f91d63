import type { LiveModel } from '../api/types.ts';
import { nowMs } from '../text/clock.ts';
import { timeLeft } from '../text/format.ts';

/** Whether a model that has memory stays, and for how long. */
export function StateChips({ model }: { model: LiveModel }) {
  if (model.state === 'loading') return <span class="chip warn">loading</span>;
  if (model.state === 'unloading') return <span class="chip warn">ending</span>;
  const leftSeconds = model.expires_at === null ? null : (Date.parse(model.expires_at) - nowMs.value) / 1_000;
  return (
    <>
      {model.pinned && <span class="chip good">pinned</span>}
      {(model.active_requests ?? 0) > 0 && <span class="chip good">at work</span>}
      {model.ends_next && <span class="chip">next to go</span>}
      {leftSeconds !== null && <span class="chip">ends in {timeLeft(Math.max(0, leftSeconds))}</span>}
    </>
  );
}
