import { describe, expect, it } from 'vitest';
import { createPoliteness, type PoliteSettings } from '../../src/jobs/politeness.ts';

const night = { startMinute: 23 * 60, endMinute: 6 * 60 };
const at = (day: number, hour: number, minute = 0) => new Date(2026, 0, day, hour, minute);

function polite(settings: Partial<PoliteSettings>) {
  const now = { current: at(1, 12) };
  const all = { maxSlots: 4, hours: null, modelsPerWindow: null, ...settings };
  return { now, ...createPoliteness({ settings: () => all, clock: { now: () => now.current } }) };
}

describe('the window of batches', () => {
  it.each([
    [at(1, 22, 59), 0],
    [at(1, 23), 4],
    [at(2, 0), 4],
    [at(2, 5, 59), 4],
    [at(2, 6), 0],
    [at(2, 12), 0],
  ])('of the night has at %s %i slots', (time, slots) => {
    const one = polite({ hours: night });
    one.now.current = time;
    expect(one.slots()).toBe(slots);
  });

  it('is always open where there is none', () => {
    expect(polite({}).slots()).toBe(4);
  });

  it('has only so many models, and others in the next night', () => {
    const one = polite({ hours: night, modelsPerWindow: 2 });
    one.now.current = at(1, 23, 30);
    one.began('a');
    expect(one.models()).toBeNull();
    one.began('b');
    one.now.current = at(2, 5);
    expect(one.models()).toEqual(['a', 'b']);
    one.now.current = at(2, 23);
    expect(one.models()).toBeNull();
  });

  it('counts models by the day where it is always open', () => {
    const one = polite({ modelsPerWindow: 1 });
    one.began('a');
    expect(one.models()).toEqual(['a']);
    one.now.current = at(1, 23, 59);
    expect(one.models()).toEqual(['a']);
    one.now.current = at(2, 0);
    expect(one.models()).toBeNull();
  });

  it('begins nothing while the machine has no room', () => {
    const settings = { maxSlots: 4, hours: null, modelsPerWindow: null };
    const busy = createPoliteness({
      settings: () => settings,
      clock: { now: () => at(1, 1) },
      strain: () => 'temperature',
    });
    expect([busy.slots(), busy.pause()]).toEqual([0, 'temperature']);
  });
});
