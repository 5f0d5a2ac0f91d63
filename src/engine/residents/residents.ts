export { type CrashGuard, createCrashGuard, quarantineFile } from './crash-guard.ts';
export { fileStamp } from './file-stamp.ts';
export { createLauncher } from './launcher.ts';
export type { Lease } from './lease.ts';
export { createLoadFailures, type LoadFailures } from './load-failures.ts';
export { createManager, type Manager } from './manager.ts';
export type { LoadSettings, ModelRef } from './model-ref.ts';
export type { ResidentView } from './resident-state.ts';
export type { OnPlace } from './scheduler.ts';
