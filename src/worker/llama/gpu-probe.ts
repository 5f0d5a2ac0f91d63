import type { GpuBackend, GpuProbeReport } from '../../ipc/gpu.ts';
import { startBackend } from './library.ts';

/** Starts a backend and reports its devices. Throws `model_load_failed` when it does not start; may well crash. */
export async function probeGpu(backend: GpuBackend): Promise<GpuProbeReport> {
  const llama = await startBackend(backend, 1);
  const deviceNames = llama.supportsGpuOffloading ? await llama.getGpuDeviceNames() : [];
  const { total, free, unifiedSize } = await llama.getVramState();
  await llama.dispose();
  return { deviceNames, totalBytes: total, freeBytes: free, unifiedBytes: unifiedSize };
}
