import { systemClock } from '../core/clock.ts';
import { forkWorker } from '../ipc/fork.ts';
import { type KernelProbe, probeCpuKernels } from '../machine/cpu-kernels.ts';
import type { Box } from './box.ts';
import { type ConfigurationFacts, checkConfiguration } from './configuration.ts';
import type { Finding } from './finding.ts';
import { checkFolders, type FolderSettings } from './folders.ts';
import { checkGpu } from './gpu.ts';
import { checkLimits } from './limits.ts';
import { checkMemory } from './memory.ts';
import { checkNetwork, type NetworkSettings } from './network.ts';
import { checkProcessor } from './processor.ts';
import { checkProviders, checkServer, type ProviderFacts, type ServerFacts } from './server.ts';
import { checkSystem } from './system.ts';

export { type Box, systemBox } from './box.ts';
export { exitCodeOf, type Finding, type Severity } from './finding.ts';
export type { ConfigurationFacts, FolderSettings, NetworkSettings, ProviderFacts, ServerFacts };

/** What a self-check looks at. */
export interface DoctorDeps {
  box: Box;
  probeKernels: () => Promise<KernelProbe>;
  /** Of this program. */
  version: string;
  configuration: ConfigurationFacts;
  folders: FolderSettings;
  network: NetworkSettings;
  memory: { memoryLimitBytes: number | null; memoryReserveBytes: number | null };
  /** `engine.gpu`. */
  gpuWish: string;
  /** Null: no server runs. */
  server: ServerFacts | null;
  /** Why the server could not be asked; null: it could, or none runs. */
  serverProblem: string | null;
  /** Null: they were not asked. */
  providers: readonly ProviderFacts[] | null;
  /** Why not. */
  providersWhy: string | null;
}

/** Starts the library of this machine for a moment. `env`: what its process gets. */
export function probeKernelsHere(env: NodeJS.ProcessEnv): Promise<KernelProbe> {
  return probeCpuKernels({
    clock: systemClock,
    fork: (more) => forkWorker({ env: { ...env, ...more }, libuvThreads: 1 }),
  });
}

/** Looks at the box, the configuration and the server, and says what was found. Changes nothing, and sends no key. */
export async function examine(deps: DoctorDeps): Promise<Finding[]> {
  const { box, folders, server } = deps;
  const [processor, network] = await Promise.all([
    checkProcessor(box, deps.probeKernels),
    checkNetwork(box, deps.network),
  ]);
  return [
    ...checkSystem(box),
    ...processor,
    ...checkMemory(box, deps.memory),
    ...checkGpu(box, { wish: deps.gpuWish, dataFolder: folders.dataFolder }),
    ...checkFolders(box, folders),
    ...checkLimits(box),
    ...checkConfiguration(deps.configuration, box.sayCommand),
    ...network,
    checkProviders(deps.providers, deps.providersWhy, box.sayCommand),
    ...checkServer(server, { ownVersion: deps.version, problem: deps.serverProblem, sayCommand: box.sayCommand }),
  ];
}
