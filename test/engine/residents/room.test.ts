import { describe, expect, it } from 'vitest';
import type { LoadOutcome } from '../../../src/engine/memory/plan.ts';
import { decideRoom, type Occupant } from '../../../src/engine/residents/room.ts';
import { anyPlan } from '../../support/plans.ts';

const occupant = (id: string, state: Occupant['state'], usedAtMs = 0): Occupant => ({
  id,
  state,
  bytes: 100,
  usedAtMs,
});

/** Plans for a model that takes 100 bytes a slot and wants two slots; with -1 one that never fits and is forced. */
const planner =
  (availableBytes: number) =>
  (reclaimableBytes: number): LoadOutcome => {
    if (availableBytes === -1) return anyPlan({ isForced: true });
    const slots = Math.min(2, Math.floor((availableBytes + reclaimableBytes) / 100));
    return slots === 0
      ? { type: 'refusal', neededBytes: 100, availableBytes, shortfallBytes: 100, nearest: null, message: '' }
      : anyPlan({ slots });
  };

describe('deciding how a load gets its memory', () => {
  it.each<[string, number, Occupant[], object]>([
    ['loads when there is room', 200, [occupant('a', 'idle')], { type: 'load', plan: { slots: 2 } }],
    [
      'ends the least recently used idle model',
      0,
      [occupant('a', 'idle', 5), occupant('b', 'idle', 3), occupant('c', 'busy', 1)],
      { type: 'evict', id: 'b' },
    ],
    ['ends an idle model for a better plan', 100, [occupant('a', 'idle')], { type: 'evict', id: 'a' }],
    ['never ends a pinned model', 100, [occupant('a', 'pinned')], { type: 'load', plan: { slots: 1 } }],
    ['does not wait for a pinned model', 0, [occupant('a', 'pinned')], { type: 'refuse' }],
    ['keeps idle models that would not help', 200, [occupant('a', 'idle')], { type: 'load' }],
    [
      'waits for a model that is leaving before it sends another',
      0,
      [occupant('a', 'leaving'), occupant('b', 'idle')],
      { type: 'await-exit', id: 'a' },
    ],
    ['takes less beside a working model', 100, [occupant('a', 'busy')], { type: 'load', plan: { slots: 1 } }],
    ['waits when nothing fits beside working models', 0, [occupant('a', 'busy')], { type: 'await-idle' }],
    ['ends idle models before a load that is forced', -1, [occupant('a', 'idle')], { type: 'evict', id: 'a' }],
    ['forces a load beside working models', -1, [occupant('a', 'busy')], { type: 'load', plan: { isForced: true } }],
    ['refuses what would not fit alone', 0, [], { type: 'refuse' }],
  ])('%s', (_title, availableBytes, occupants, decision) => {
    expect(decideRoom(planner(availableBytes), occupants)).toMatchObject(decision);
  });
});
