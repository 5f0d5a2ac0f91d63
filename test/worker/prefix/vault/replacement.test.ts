import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseReplaced, type Replaceable, valuePerByte } from '../../../../src/worker/prefix/vault/replacement.ts';

const dayMs = 24 * 60 * 60 * 1000;
const nowMs = 100 * dayMs;

interface Named extends Replaceable {
  name: string;
}

const stored = (name: string, options: Partial<Replaceable> = {}): Named => ({
  name,
  bytes: 100,
  prefillMs: 5000,
  pinned: false,
  lastUsedMs: nowMs,
  ...options,
});

const sumOf = (entries: readonly Replaceable[]) => entries.reduce((sum, { bytes }) => sum + bytes, 0);

const choose = (entries: Named[], bytes: number, options: { capBytes: number; pinned?: boolean; usedBytes?: number }) =>
  chooseReplaced({
    entries,
    usedBytes: options.usedBytes ?? sumOf(entries),
    newcomer: { bytes, pinned: options.pinned ?? false },
    capBytes: options.capBytes,
    nowMs,
  })?.map(({ name }) => name) ?? null;

describe('the value of a state', () => {
  it('is prefill time per byte, and halves with every day without use', () => {
    expect(valuePerByte(stored('x'), nowMs)).toBe(50);
    expect(valuePerByte(stored('x', { lastUsedMs: nowMs - dayMs }), nowMs)).toBe(25);
    expect(valuePerByte(stored('x', { lastUsedMs: nowMs - 3 * dayMs }), nowMs)).toBe(6.25);
  });

  it('is not raised by a use in the future, where a clock once was', () => {
    expect(valuePerByte(stored('x', { lastUsedMs: nowMs + dayMs }), nowMs)).toBe(50);
  });
});

describe('eviction', () => {
  it('takes nothing while there is room', () => {
    expect(choose([stored('a'), stored('b')], 100, { capBytes: 300 })).toEqual([]);
  });

  it('takes what saves least per byte first, not what is oldest or largest', () => {
    const entries = [
      stored('cheap', { prefillMs: 2000 }),
      stored('large but dear', { bytes: 1000, prefillMs: 90_000 }),
      stored('older', { lastUsedMs: nowMs - dayMs }),
    ];
    expect(choose(entries, 100, { capBytes: 1200 })).toEqual(['cheap']);
    expect(choose(entries, 200, { capBytes: 1200 })).toEqual(['cheap', 'older']);
  });

  it('takes what nobody uses any more, however much it once saved', () => {
    const entries = [stored('dear', { prefillMs: 60_000, lastUsedMs: nowMs - 10 * dayMs }), stored('used')];
    expect(choose(entries, 100, { capBytes: 200 })).toEqual(['dear']);
  });

  it('takes pinned entries last', () => {
    const entries = [stored('pin', { pinned: true, prefillMs: 0 }), stored('dear', { prefillMs: 90_000 })];
    expect(choose(entries, 100, { capBytes: 200 })).toEqual(['dear']);
    expect(choose(entries, 200, { capBytes: 200, pinned: true })).toEqual(['dear', 'pin']);
  });

  it('lets an entry that is not pinned displace pins only where they hold more than half of the cap', () => {
    const pins = ['a', 'b', 'c'].map((name, index) => stored(name, { pinned: true, prefillMs: 1000 * (index + 1) }));
    expect(choose(pins, 100, { capBytes: 300 })).toEqual(['a']);
    expect(choose(pins.slice(0, 1), 200, { capBytes: 200 })).toBeNull();
    expect(choose(pins.slice(0, 1), 200, { capBytes: 200, pinned: true })).toEqual(['a']);
  });

  it('says no when even an empty vault is too small, or when what must stay leaves no room', () => {
    expect(choose([stored('a')], 301, { capBytes: 300 })).toBeNull();
    expect(choose([stored('a')], 200, { capBytes: 300, usedBytes: 250 })).toBeNull();
  });

  it('always makes enough room or takes nothing, and never takes one more than needed', () => {
    const entry = fc.record({
      name: fc.string(),
      bytes: fc.integer({ min: 1, max: 500 }),
      prefillMs: fc.nat(50_000),
      pinned: fc.boolean(),
      lastUsedMs: fc.integer({ min: nowMs - 30 * dayMs, max: nowMs + dayMs }),
    });
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 12 }),
        fc.nat(800),
        fc.boolean(),
        fc.nat(2000),
        (entries, bytes, pinned, capBytes) => {
          const chosen = chooseReplaced({
            entries,
            usedBytes: sumOf(entries),
            newcomer: { bytes, pinned },
            capBytes,
            nowMs,
          });
          const fits = bytes <= capBytes;
          if (pinned) expect(chosen !== null).toBe(fits);
          if (chosen === null) return;
          const left = sumOf(entries) - sumOf(chosen) + bytes;
          expect(left).toBeLessThanOrEqual(capBytes);
          if (chosen.length > 0) expect(left + chosen.at(-1)!.bytes).toBeGreaterThan(capBytes);
          // A pin goes only when nothing else is left.
          const stays = entries.filter((candidate) => !chosen.includes(candidate));
          if (chosen.some((gone) => gone.pinned)) expect(stays.every((kept) => kept.pinned)).toBe(true);
        },
      ),
    );
  });
});
