import type { GpuBackend } from '../../ipc/gpu.ts';
import type { GpuDevice, GpuWish } from '../../machine/gpu/device.ts';
import type { GpuNodes } from '../../machine/gpu/nodes.ts';
import type { ProbeResult } from '../../machine/gpu/probe.ts';
import type { ProbeCache } from '../../machine/gpu/probe-cache.ts';
import type { Logger } from '../../observe/logger.ts';

/** Where a model is to be loaded. `reason`: why not on a GPU although one was asked for or is there, else null. */
export type GpuChoice = { device: GpuDevice } | { device: null; reason: string | null };

/** What is known of the GPUs now; asking for it starts nothing. */
export interface GpuStatus {
  devices: { device: GpuDevice; freeBytes: number }[];
  /** Why a GPU that is there, or was asked for, is not used. */
  problems: string[];
}

/** Chooses devices, and remembers what came of it. */
export interface GpuSelector {
  choose(modelId: string, wish: GpuWish): Promise<GpuChoice>;
  /** What `choose` would give by what is known already, with its memory of this moment; looks and starts nothing. */
  known(modelId: string, wish: GpuWish): GpuDevice | null;
  /** Loading or running a model on a GPU failed: it stays on the CPU until it is forgiven. */
  blame(modelId: string, reason: string): void;
  /** An operator asked for the model: it gets a new chance. */
  forgive(modelId: string): void;
  /** A worker measured how much video memory is free now. */
  noteFree(device: GpuDevice, freeBytes: number): void;
  /** Free now: as measured last, less what our models take since. */
  freeBytes(device: GpuDevice): number;
  status(): GpuStatus;
}

/**
 * Looks and probes only when a model is to be loaded and may go onto a GPU. `auto` without a device node, and `off`,
 * start no process. Concurrent questions share one probe.
 * `usedBytes`: video memory that our models have on a device now, as planned.
 */
export function createGpuSelector(deps: {
  findNodes: () => GpuNodes;
  platform: NodeJS.Platform;
  probe: (backend: GpuBackend) => Promise<ProbeResult>;
  /** Results kept across restarts; the key is that of the nodes. */
  cache: ProbeCache;
  keyOf: (nodes: GpuNodes) => string;
  usedBytes: (device: GpuDevice) => number;
  log: Logger;
}): GpuSelector {
  /** By key and backend; failures without a crash live only here. */
  const results = new Map<string, Promise<ProbeResult>>();
  const blamed = new Map<string, string>();
  /** Bytes that would be free without our models, by device. */
  const emptyBytes = new Map<string, number>();
  let last: GpuStatus = { devices: [], problems: [] };

  const free = (device: GpuDevice) =>
    Math.max(0, (emptyBytes.get(idOf(device)) ?? device.freeBytes) - deps.usedBytes(device));

  /** Of those that suit the wish the one with the most free memory, which is put into the result. */
  const best = (devices: readonly GpuDevice[], wish: GpuWish): GpuDevice | null => {
    const fit = devices
      .filter(({ kind, backend }) => (wish === 'auto' ? kind === 'discrete' : wish === 'prefer' || wish === backend))
      .map((device) => ({ ...device, freeBytes: free(device) }));
    return fit.sort((left, right) => right.freeBytes - left.freeBytes)[0] ?? null;
  };

  const probe = (key: string, backend: GpuBackend): Promise<ProbeResult> => {
    const id = `${key} ${backend}`;
    const known = results.get(id);
    if (known) return known;
    const stored = deps.cache.get(key, backend);
    const running = stored ? Promise.resolve(stored) : deps.probe(backend).then((result) => keep(key, backend, result));
    results.set(id, running);
    return running;
  };

  const keep = (key: string, backend: GpuBackend, result: ProbeResult): ProbeResult => {
    deps.cache.put(key, backend, result);
    if ('reason' in result) {
      deps.log.warn({ backend }, `GPU not usable: ${result.reason}`);
      return result;
    }
    for (const device of result.devices) {
      deps.log.info({ ...device }, 'GPU found');
      // Measured just now, with our models in it.
      emptyBytes.set(idOf(device), device.freeBytes + deps.usedBytes(device));
    }
    return result;
  };

  return {
    async choose(modelId, wish) {
      if (wish === 'off') return { device: null, reason: null };
      const nodes = deps.findNodes();
      const backends = backendsFor(wish, nodes, deps.platform);
      if (backends.length === 0) {
        last = { devices: [], problems: nodes.problems };
        const integrated = nodes.nodes.find((node) => node.isIntegrated && node.canOpen);
        const wanted = wish === 'auto' ? null : 'no GPU device was found';
        return { device: null, reason: integrated ? noOwnMemory(integrated.name) : (nodes.problems[0] ?? wanted) };
      }
      const earlier = blamed.get(modelId);
      if (earlier !== undefined) return { device: null, reason: earlier };
      const key = deps.keyOf(nodes);
      const reasons: string[] = [];
      for (const backend of backends) {
        const result = await probe(key, backend);
        if ('reason' in result) {
          reasons.push(result.reason);
          continue;
        }
        last = {
          devices: result.devices.map((device) => ({ device, freeBytes: free(device) })),
          problems: [...nodes.problems, ...reasons],
        };
        const device = best(result.devices, wish);
        if (device === null) {
          reasons.push(noOwnMemory(result.devices[0]!.name));
          continue;
        }
        return { device };
      }
      last = { devices: last.devices, problems: [...nodes.problems, ...reasons] };
      return { device: null, reason: reasons.join('; ') };
    },
    known(modelId, wish) {
      if (wish === 'off' || blamed.has(modelId)) return null;
      const devices = last.devices.map(({ device }) => device);
      return best(devices, wish);
    },
    blame(modelId, reason) {
      blamed.set(modelId, reason);
    },
    forgive(modelId) {
      blamed.delete(modelId);
    },
    noteFree(device, freeBytes) {
      emptyBytes.set(idOf(device), freeBytes + deps.usedBytes(device));
    },
    freeBytes: free,
    status: () => ({
      devices: last.devices.map(({ device }) => ({ device, freeBytes: free(device) })),
      problems: last.problems,
    }),
  };
}

/** Backends worth a probe, best first. One that is asked for by name is always tried: nodes may be hidden from us. */
function backendsFor(wish: GpuWish, { nodes }: GpuNodes, platform: NodeJS.Platform): GpuBackend[] {
  if (wish === 'cuda' || wish === 'vulkan' || wish === 'metal') return [wish];
  if (platform === 'darwin') return ['metal'];
  const usable = nodes.filter((node) => node.canOpen && !(wish === 'auto' && node.isIntegrated));
  const backends: GpuBackend[] = [];
  if (usable.some((node) => node.kind === 'nvidia')) backends.push('cuda');
  if (usable.length > 0) backends.push('vulkan');
  return backends;
}

/** Decoding waits for memory, which an integrated GPU shares with the CPU: whether it gains anything is the user's to try. */
function noOwnMemory(name: string): string {
  return `${name} has no memory of its own; a load that prefers a GPU uses it anyway`;
}

/** Names a device for as long as the process runs. */
export function idOf(device: Pick<GpuDevice, 'backend' | 'name' | 'environment'>): string {
  return JSON.stringify([device.backend, device.name, device.environment]);
}
