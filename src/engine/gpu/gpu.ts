import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { findGpuNodes, systemGpuFiles } from '../../machine/gpu/nodes.ts';
import { type ForkProbe, probeBackend } from '../../machine/gpu/probe.ts';
import { createProbeCache, probeKey } from '../../machine/gpu/probe-cache.ts';
import type { Logger } from '../../observe/logger.ts';
import type { ResidentGpu } from './resident-gpu.ts';
import { createGpuSelector, type GpuSelector, idOf } from './select.ts';

export { createPlacement } from './placement.ts';
export { onCpu, type ResidentGpu, residentGpu, suits } from './resident-gpu.ts';
export type { GpuChoice, GpuSelector, GpuStatus } from './select.ts';

/**
 * The GPUs of this machine, over its real files, with probes in real processes and their results in the data folder.
 * Reads and starts nothing by itself. `residents`: what our loaded models have of GPUs now.
 */
export function createGpu(deps: {
  fork: ForkProbe;
  /** The server's environment. */
  environment: NodeJS.ProcessEnv;
  /** Of the inference library. */
  libraryVersion: string;
  dataFolder: string;
  residents: () => ResidentGpu[];
  clock: Clock;
  log: Logger;
}): GpuSelector {
  const { fork, clock, environment } = deps;
  return createGpuSelector({
    findNodes: () => findGpuNodes(systemGpuFiles()),
    platform: process.platform,
    probe: (backend) => probeBackend({ fork, clock, environment }, backend),
    cache: createProbeCache(join(deps.dataFolder, 'gpu-probe.json')),
    keyOf: (nodes) => probeKey(deps.libraryVersion, nodes, environment),
    usedBytes: (wanted) =>
      deps
        .residents()
        .reduce((sum, { device, bytes }) => sum + (device && idOf(device) === idOf(wanted) ? bytes : 0), 0),
    log: deps.log,
  });
}
