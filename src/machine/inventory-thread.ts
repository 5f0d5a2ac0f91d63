import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';

/**
 * Runs calls of systeminformation in a thread of its own: it starts other programs and waits for some of them
 * synchronously, which would hold every answer of the server. Posts each result as it comes; the other side ends the
 * thread when it has waited long enough.
 */
const { calls } = z
  .object({ calls: z.array(z.enum(['cpu', 'baseboard', 'blockDevices', 'cpuTemperature'])) })
  .parse(workerData);
const { default: library } = await import('systeminformation');
for (const call of calls) {
  const value: unknown = await library[call]().catch(() => null);
  parentPort?.postMessage({ call, value });
}
