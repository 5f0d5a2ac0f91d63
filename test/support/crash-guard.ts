import type { Clock } from '../../src/core/clock.ts';
import { type CrashGuard, createCrashGuard, type quarantineFile } from '../../src/engine/residents/crash-guard.ts';
import type { StateFile } from '../../src/files/state-file.ts';

type Stored = Parameters<StateFile<ReturnType<typeof quarantineFile.parse>>['write']>[0];

/** What a data folder would hold, in memory; several guards over one are restarts. */
export function memoryStateFile(): StateFile<Stored> {
  let text: string | null = null;
  return {
    read: () => (text === null ? null : JSON.parse(text)),
    write(value) {
      text = JSON.stringify(value);
    },
  };
}

/** A guard whose files change only when `stamps` says so. */
export function testCrashGuard(
  clock: Clock,
  options: { stored?: StateFile<Stored>; stamps?: Map<string, string> } = {},
): CrashGuard {
  return createCrashGuard({
    clock,
    stored: options.stored ?? memoryStateFile(),
    stampOf: (path) => options.stamps?.get(path) ?? 'unchanged',
  });
}
