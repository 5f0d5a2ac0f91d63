import { findCgroups, type ReadFile } from './cgroup.ts';

/** What the kernel says about the processors since the reading before. */
export interface CpuReading {
  /**
   * Share of the time, 0 to 1, in which something was ready to run and waited for a processor; null: the kernel does
   * not tell (no PSI). Of our own control group where it is told, of the whole machine otherwise.
   */
  waitingShare: number | null;
  /** Cores that the container's quota kept frozen, on average; 0 without a quota. */
  frozenCores: number;
  /** Processors of the machine that had nothing to do, on average; null: unknown. */
  idleCores: number | null;
}

export interface CpuReader {
  /** Never throws. The first call only starts the counters: it knows no more than the last ten seconds of PSI. */
  read(): CpuReading;
}

/** Counters that only grow, as the files hold them. */
interface Counters {
  atMs: number;
  waitingUs: number | null;
  /** Per level of the control groups; a level without a quota counts 0. */
  throttledMs: number[];
  ticks: { total: number; idle: number; stolen: number; processors: number } | null;
}

/**
 * Reads pressure (PSI), throttling (`cpu.stat`, cgroup v2 and v1) and idle time (`/proc/stat`) as differences between
 * two calls. Each of the files may be absent.
 * `readFile`: null for a file that is not there. `monotonicMs`: as in `Clock`.
 */
export function createCpuReader(deps: { readFile: ReadFile; monotonicMs: () => number }): CpuReader {
  const { readFile } = deps;
  // Found once: a process keeps its groups, and mountinfo is long on a host of containers.
  const groups = findCgroups(readFile, 'cpu');
  const statFiles = groups.flatMap(({ folders }) => folders.map((folder) => `${folder}/cpu.stat`));
  const ownPressure = groups.find(({ version }) => version === 2)?.folders[0];
  let before: Counters | null = null;

  return {
    read() {
      // The own group first: whether our threads wait matters more than whether anything on the machine does.
      const own = ownPressure === undefined ? null : parsePressure(readFile(`${ownPressure}/cpu.pressure`));
      const pressure = own ?? parsePressure(readFile('/proc/pressure/cpu'));
      const after: Counters = {
        atMs: deps.monotonicMs(),
        waitingUs: pressure?.totalUs ?? null,
        throttledMs: statFiles.map((path) => parseThrottledMs(readFile(path) ?? '')),
        ticks: parseTicks(readFile('/proc/stat') ?? ''),
      };
      const reading = compare(before, after, pressure?.averageShare ?? null);
      before = after;
      return reading;
    },
  };
}

function compare(before: Counters | null, after: Counters, averageShare: number | null): CpuReading {
  const elapsedMs = before === null ? 0 : after.atMs - before.atMs;
  if (before === null || elapsedMs <= 0) return { waitingShare: averageShare, frozenCores: 0, idleCores: null };

  // The kernel's own average of ten seconds lags; the difference of the totals does not.
  const waitedUs = after.waitingUs === null || before.waitingUs === null ? null : after.waitingUs - before.waitingUs;
  let waitingShare = waitedUs === null || waitedUs < 0 ? averageShare : Math.min(1, waitedUs / 1000 / elapsedMs);

  const throttled = after.throttledMs.map((ms, level) => ms - (before.throttledMs[level] ?? ms));
  const frozenCores = Math.max(0, ...throttled) / elapsedMs;

  let idleCores: number | null = null;
  const totalTicks = after.ticks && before.ticks ? after.ticks.total - before.ticks.total : 0;
  if (after.ticks && before.ticks && totalTicks > 0) {
    // iowait may run backwards, so the difference may be negative.
    idleCores = Math.max(0, (after.ticks.idle - before.ticks.idle) / totalTicks) * after.ticks.processors;
    // In a virtual machine the others may be outside of it: PSI does not see them, stolen time does.
    const stolenShare = (after.ticks.stolen - before.ticks.stolen) / totalTicks;
    if (waitingShare !== null) waitingShare = Math.max(waitingShare, stolenShare);
  }
  return { waitingShare, frozenCores, idleCores };
}

/** `some avg10=14.37 avg60=5.85 avg300=9.51 total=257726877`: per cent, microseconds. */
function parsePressure(text: string | null): { averageShare: number; totalUs: number } | null {
  const match = /^some avg10=([\d.]+) .*total=(\d+)/m.exec(text ?? '');
  return match === null ? null : { averageShare: Number(match[1]) / 100, totalUs: Number(match[2]) };
}

/** Version 2 counts microseconds, version 1 nanoseconds; both add up over processors. */
function parseThrottledMs(text: string): number {
  const version2 = /^throttled_usec (\d+)/m.exec(text)?.[1];
  if (version2 !== undefined) return Number(version2) / 1e3;
  return Number(/^throttled_time (\d+)/m.exec(text)?.[1] ?? 0) / 1e6;
}

/** `cpu user nice system idle iowait irq softirq steal guest …`; guest time is within user time already. */
function parseTicks(text: string): Counters['ticks'] {
  const fields = /^cpu +(\d+(?: \d+){7})/m.exec(text)?.[1]?.split(' ').map(Number);
  const processors = text.match(/^cpu\d/gm)?.length ?? 0;
  if (fields === undefined || processors === 0) return null;
  return {
    total: fields.reduce((sum, ticks) => sum + ticks, 0),
    idle: fields[3]! + fields[4]!,
    stolen: fields[7]!,
    processors,
  };
}
