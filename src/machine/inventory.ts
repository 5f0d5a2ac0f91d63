import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import type { MachineInventory } from '../core/machine.ts';

/** The only calls of systeminformation that are made. None asks the network, and none wakes a disk. */
const allowedCalls = ['cpu', 'baseboard', 'blockDevices', 'cpuTemperature'] as const;
type InventoryCall = (typeof allowedCalls)[number];

/** Time for all calls together; what has not answered by then is null. */
const waitMs = 8_000;
/** So long an answer counts for the next who ask: temperatures change, nothing else does. */
const freshMs = 10_000;

/** A running look at the machine. `onResult` may be called until `stop`, `onEnd` once, when nothing more comes. */
export type StartCalls = (
  calls: readonly InventoryCall[],
  onResult: (call: string, value: unknown) => void,
  onEnd: () => void,
) => { stop: () => void };

/**
 * What this machine is made of, read when somebody asks, in another thread; at most one look at a time and one in ten
 * seconds. Never rejects: what cannot be read, or not in time, is null.
 */
export function createInventory(deps: { clock: Clock; startCalls?: StartCalls }): () => Promise<MachineInventory> {
  const { clock, startCalls = startThread } = deps;
  let last: { startedMs: number; inventory: Promise<MachineInventory> } | null = null;
  return () => {
    if (last === null || clock.monotonicMs() - last.startedMs > freshMs) {
      last = { startedMs: clock.monotonicMs(), inventory: look(clock, startCalls) };
    }
    return last.inventory;
  };
}

async function look(clock: Clock, startCalls: StartCalls): Promise<MachineInventory> {
  const results = new Map<string, unknown>();
  await new Promise<void>((resolve) => {
    const running = startCalls(
      allowedCalls,
      (call, value) => {
        results.set(call, value);
        if (allowedCalls.every((name) => results.has(name))) end();
      },
      () => end(),
    );
    const timer = clock.after(waitMs, () => end());
    function end() {
      timer.cancel();
      running.stop();
      resolve();
    }
  });
  return {
    processor: read(processor, results.get('cpu')),
    board: read(board, results.get('baseboard')),
    disks: read(disks, results.get('blockDevices')),
    temperatures: read(temperatures, results.get('cpuTemperature')),
  };
}

const message = z.object({ call: z.string(), value: z.unknown() });

const startThread: StartCalls = (calls, onResult, onEnd) => {
  const thread = new Worker(new URL('./inventory-thread.ts', import.meta.url), {
    workerData: { calls },
    execArgv: [],
    // What programs and library complain about is nobody's business here.
    stdout: true,
    stderr: true,
  });
  thread.unref();
  thread.on('message', (posted) => {
    const { call, value } = message.parse(posted);
    onResult(call, value);
  });
  // An error ends the thread, and so comes here too.
  thread.on('error', () => {});
  thread.on('exit', onEnd);
  return { stop: () => void thread.terminate() };
};

// The library says "unknown" as an empty text, 0, null or a dash.
const text = z
  .string()
  .nullish()
  .transform((value) => value?.trim().replace(/^(-|unknown|to be filled by o\.e\.m\.)$/i, '') || null);
const amount = z
  .number()
  .nullish()
  .transform((value) => (value !== null && value !== undefined && value > 0 ? value : null));

const processor = z
  .object({
    manufacturer: text,
    brand: text,
    cores: amount,
    physicalCores: amount,
    speed: amount,
    speedMax: amount,
    cache: z.object({ l2: amount, l3: amount }),
  })
  .transform(({ manufacturer, brand, cores, physicalCores, speed, speedMax, cache }) => {
    const name = [manufacturer, brand].filter((part) => part !== null).join(' ');
    if (name === '') return null;
    return {
      name,
      physicalCores,
      logicalCores: cores,
      baseGhz: speed,
      maxGhz: speedMax,
      l2CacheBytes: cache.l2,
      l3CacheBytes: cache.l3,
    };
  });

const board = z
  .object({ manufacturer: text, model: text })
  .transform(({ manufacturer, model }) => (model === null ? null : { vendor: manufacturer, model }));

const kinds: Readonly<Record<string, 'hdd' | 'ssd'>> = { HDD: 'hdd', SSD: 'ssd' };

const disks = z
  .array(
    z.object({
      name: z.string(),
      type: z.string(),
      size: amount,
      physical: text,
      model: text,
      removable: z.boolean(),
    }),
  )
  .transform((devices) =>
    devices.flatMap(({ name, type, size, physical, model, removable }) =>
      // Drives without a medium and compressed memory have no size or are no disks.
      type !== 'disk' || size === null || /^(zram|ram)\d/.test(name)
        ? []
        : [{ name, model, kind: kinds[physical ?? ''] ?? null, sizeBytes: size, isRemovable: removable }],
    ),
  );

const temperatures = z
  .object({ main: amount, max: amount })
  .transform(({ main, max }) => (main === null ? null : { processorCelsius: main, hottestCoreCelsius: max }));

/** What a result says in our terms; null when the call failed or said something else. */
function read<T>(schema: z.ZodType<T>, result: unknown): T | null {
  const parsed = schema.safeParse(result);
  return parsed.success ? parsed.data : null;
}
