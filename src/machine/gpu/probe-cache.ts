import { createHash } from 'node:crypto';
import { z } from 'zod';
import { createStateFile } from '../../files/state-file.ts';
import type { GpuBackend } from '../../ipc/gpu.ts';
import { gpuDevice } from './device.ts';
import type { GpuNodes } from './nodes.ts';
import type { ProbeResult } from './probe.ts';

/** Results of probes that outlive the process. */
export interface ProbeCache {
  get(key: string, backend: GpuBackend): ProbeResult | null;
  put(key: string, backend: GpuBackend, result: ProbeResult): void;
}

const result = z.union([
  z.object({ devices: z.array(gpuDevice).min(1) }),
  z.object({ reason: z.string(), lasting: z.boolean() }),
]);
const cacheFile = z.object({ key: z.string(), results: z.record(z.string(), result) });

/** Variables that change what a backend sees. */
const relevantVariables =
  /^(CUDA_|NVIDIA_|GGML_|VK_|MESA_|LIBGL_|HIP_|ROCR_|DRI_PRIME$|LD_LIBRARY_PATH$|XDG_DATA_DIRS$)/;

/** Names everything that a probe's result depends on: library, devices, driver and the variables that steer them. */
export function probeKey(
  libraryVersion: string,
  { nodes, nvidiaDriver }: GpuNodes,
  environment: NodeJS.ProcessEnv,
): string {
  const variables = Object.entries(environment)
    .filter(([name]) => relevantVariables.test(name))
    .sort(([left], [right]) => (left < right ? -1 : 1));
  const text = JSON.stringify([libraryVersion, nodes, nvidiaDriver, variables]);
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Keeps the results for one key in a file; a file that is broken or for another key counts as empty. What failed
 * without a crash (a missing driver or library) is not kept: it costs half a second, and somebody may mend it.
 * A file that cannot be written is no reason to fail: the next start probes again.
 */
export function createProbeCache(filePath: string): ProbeCache {
  const file = createStateFile({
    path: filePath,
    parse: (value) => cacheFile.parse(value),
    // Probed again next time.
    warn: () => {},
  });
  const read = (key: string): z.infer<typeof cacheFile> => {
    const stored = file.read();
    return stored?.key === key ? stored : { key, results: {} };
  };
  return {
    get: (key, backend) => read(key).results[backend] ?? null,
    put(key, backend, value) {
      if ('reason' in value && !value.lasting) return;
      const stored = read(key);
      stored.results[backend] = value;
      file.write(stored);
    },
  };
}
