import type { GpuBackend, GpuProbeReport } from '../../ipc/gpu.ts';
import { loadedKernels } from './kernels.ts';
import { startBackend } from './library.ts';

/**
 * Starts a backend, null for the processor alone, and reports its devices and kernels. Throws `model_load_failed` when it does
 * not start; may well crash.
 */
export async function probeBackend(backend: GpuBackend | null): Promise<GpuProbeReport> {
  const llama = await startBackend(backend, 1);
  const deviceNames = llama.supportsGpuOffloading ? await llama.getGpuDeviceNames() : [];
  const { total, free, unifiedSize } = await llama.getVramState();
  const kernels = loadedKernels();
  await llama.dispose();
  return {
    deviceNames,
    totalBytes: total,
    freeBytes: free,
    unifiedBytes: unifiedSize,
    ...(kernels && { kernels }),
  };
}
