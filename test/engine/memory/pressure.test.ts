import { describe, expect, it } from 'vitest';
import {
  createMemoryWatch,
  createPressureReader,
  lowMark,
  type MemoryReading,
} from '../../../src/engine/memory/pressure.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { testBus } from '../../support/test-bus.ts';

const mib = 2 ** 20;
const plenty: MemoryReading = { availableBytes: 4_096 * mib, stalledPercent: 0 };
const short: MemoryReading = { availableBytes: 100 * mib, stalledPercent: 0 };
/** Above the mark of 128 MiB, but not by half. */
const nearly: MemoryReading = { availableBytes: 150 * mib, stalledPercent: 0 };

function setup() {
  const clock = manualClock();
  let reading = plenty;
  const { bus, events } = testBus();
  let ended = 0;
  const watch = createMemoryWatch({
    read: () => reading,
    markBytes: () => 128 * mib,
    clock,
    log: createLogger('silent'),
    bus,
    onShort: () => {
      ended++;
    },
  });
  return {
    watch,
    levels: () => events.flatMap((event) => (event.type === 'memory-level' ? [event.level] : [])),
    ended: () => ended,
    /** Lets so many readings be taken. */
    readings(count: number, of: MemoryReading) {
      reading = of;
      clock.advance(count * 2_000);
    },
  };
}

describe('memory pressure', () => {
  it('first stops loads, then ends idle models, then turns requests away', () => {
    const { watch, readings, levels, ended } = setup();
    readings(10, plenty);
    expect([watch.level, watch.refusal('load')]).toEqual(['none', null]);
    readings(1, short);
    expect(watch.level).toBe('hold');
    expect(watch.refusal('load')).toMatchObject({
      code: 'memory_pressure',
      status: 503,
      retryAfterSeconds: 10,
      details: { available_bytes: 100 * mib, needed_bytes: 128 * mib },
    });
    expect(watch.refusal('request')).toBeNull();
    expect(ended()).toBe(0);
    readings(2, short);
    expect([watch.level, ended()]).toEqual(['shrink', 1]);
    readings(2, short);
    expect([watch.level, ended()]).toEqual(['shrink', 3]);
    expect(watch.refusal('request')).toBeNull();
    readings(1, short);
    expect(watch.level).toBe('shed');
    expect(watch.refusal('request')).toMatchObject({ code: 'memory_pressure', retryAfterSeconds: 10 });
    expect(levels()).toEqual(['hold', 'shrink', 'shed']);
  });

  it('goes on after ten calm seconds, and neither a calm moment nor being just above the mark is enough', () => {
    const { watch, readings, levels } = setup();
    readings(6, short);
    readings(4, plenty);
    expect(watch.level).toBe('shed');
    readings(1, nearly);
    readings(4, plenty);
    expect(watch.level).toBe('shed');
    readings(100, nearly);
    expect(watch.level).toBe('shed');
    readings(5, plenty);
    expect([watch.level, watch.refusal('request'), watch.refusal('load')]).toEqual(['none', null, null]);
    expect(levels()).toEqual(['hold', 'shrink', 'shed', 'none']);
  });

  it('does not flutter when readings alternate', () => {
    const { readings, levels } = setup();
    for (let round = 0; round < 20; round++) {
      readings(1, short);
      readings(1, plenty);
    }
    expect(levels()).toEqual(['hold']);
  });

  it('is also noticed by stalls, where the kernel tells them', () => {
    const { watch, readings } = setup();
    readings(1, { ...plenty, stalledPercent: 19.9 });
    expect(watch.level).toBe('none');
    readings(1, { ...plenty, stalledPercent: 20 });
    expect(watch.level).toBe('hold');
    readings(10, { ...plenty, stalledPercent: 6 });
    expect(watch.level).toBe('hold');
    readings(5, { ...plenty, stalledPercent: null });
    expect(watch.level).toBe('none');
  });

  it('begins at half of the reserve, and not below 64 MiB or a sixteenth of a small machine', () => {
    const mark = (reserveMib: number, totalMib: number) =>
      lowMark({
        reserveBytes: reserveMib * mib,
        limits: [
          { source: 'host', totalBytes: totalMib * mib, availableBytes: 0 },
          { source: 'config', totalBytes: 100 * mib, availableBytes: 0 },
        ],
      }) / mib;
    expect(mark(256, 4_096)).toBe(128);
    expect(mark(0, 4_096)).toBe(64);
    expect(mark(0, 320)).toBe(20);
    expect(mark(64, 320)).toBe(32);
  });

  it('ends with the watch', () => {
    const { watch, readings } = setup();
    watch.close();
    readings(10, short);
    expect(watch.level).toBe('none');
  });
});

describe('readings of memory', () => {
  const budget = () => ({
    totalBytes: 0,
    availableBytes: 0,
    reserveBytes: 0,
    source: 'config' as const,
    limits: [
      { source: 'host' as const, totalBytes: 900, availableBytes: 500 },
      { source: 'cgroup-v2' as const, totalBytes: 800, availableBytes: 300 },
      { source: 'config' as const, totalBytes: 100, availableBytes: 0 },
    ],
  });
  const psi = (percent: string) =>
    `some avg10=${percent} avg60=0.00 avg300=0.00 total=0\nfull avg10=99.00 avg60=0 total=0\n`;

  it('take the least of host and container, and not the limit that the operator set for Hearth', () => {
    expect(createPressureReader({ readFile: () => null, budget })()).toEqual({
      availableBytes: 300,
      stalledPercent: null,
    });
  });

  it('take the stalls of the own group before those of the machine', () => {
    const files: Record<string, string> = {
      '/proc/pressure/memory': psi('1.50'),
      '/proc/self/cgroup': '0::/box\n',
      '/proc/self/mountinfo': '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
    };
    const read = () => createPressureReader({ readFile: (path) => files[path] ?? null, budget })().stalledPercent;
    expect(read()).toBe(1.5);
    files['/sys/fs/cgroup/box/memory.pressure'] = psi('33.00');
    expect(read()).toBe(33);
  });
});
