import type { Clock } from '../../core/clock.ts';
import type { WorkerProcess } from '../../ipc/fork.ts';
import type { GpuBackend, GpuProbeReport } from '../../ipc/gpu.ts';
import type { GpuDevice } from './device.ts';

/** Starts a worker with these variables on top of the server's environment. */
export type ForkProbe = (environment: Record<string, string>) => WorkerProcess;

/** What trying a backend gave. `lasting`: it crashed or hung, so trying again the same way would only cost time. */
export type ProbeResult = { devices: GpuDevice[] } | { reason: string; lasting: boolean };

/** A first CUDA start on a slow disk reads half a gigabyte of libraries. */
const probeTimeoutMs = 30_000;
/** A machine with more GPUs than this shows only these. */
const maxDevices = 8;
/** Variables by which a process sees one device only. Metal has no such choice. */
const visibleDevices = { cuda: 'CUDA_VISIBLE_DEVICES', vulkan: 'GGML_VK_VISIBLE_DEVICES', metal: null };
const softwareNames = /llvmpipe|lavapipe|swiftshader/i;

/**
 * Starts the backend in a process of its own, in which it may crash or hang, and lists its devices. Where it sees
 * several, each is asked for alone, since the library adds their memory up.
 * `environment`: the server's, for a choice of devices that the operator made.
 */
export async function probeBackend(
  deps: { fork: ForkProbe; clock: Clock; environment: NodeJS.ProcessEnv },
  backend: GpuBackend,
): Promise<ProbeResult> {
  const all = await probeOnce(deps, backend, {});
  if ('reason' in all) return all;
  if (all.deviceNames.length === 0) return { reason: `${backend} sees no device`, lasting: false };
  const variable = visibleDevices[backend];
  if (all.deviceNames.length === 1 || variable === null) return { devices: [toDevice(backend, all, {})] };

  const chosen = deps.environment[variable]?.split(',') ?? Array.from({ length: maxDevices }, (_, index) => `${index}`);
  const devices: GpuDevice[] = [];
  for (const index of chosen.slice(0, maxDevices)) {
    if (devices.length === all.deviceNames.length) break;
    const report = await probeOnce(deps, backend, { [variable]: index });
    // Alone, devices show that the library leaves out when there are better ones.
    if ('reason' in report || !all.deviceNames.includes(report.deviceNames[0] ?? '')) continue;
    devices.push(toDevice(backend, report, { [variable]: index }));
  }
  if (devices.length === 0) return { reason: `none of the devices of ${backend} works alone`, lasting: false };
  return { devices };
}

function toDevice(backend: GpuBackend, report: GpuProbeReport, environment: Record<string, string>): GpuDevice {
  const name = report.deviceNames[0]!;
  return {
    backend,
    name,
    kind: softwareNames.test(name) ? 'software' : report.unifiedBytes > 0 ? 'integrated' : 'discrete',
    totalBytes: report.totalBytes,
    freeBytes: Math.min(report.freeBytes, report.totalBytes),
    environment,
  };
}

/** One process, one backend. Resolves when the process is gone. */
function probeOnce(
  deps: { fork: ForkProbe; clock: Clock },
  backend: GpuBackend,
  environment: Record<string, string>,
): Promise<GpuProbeReport | { reason: string; lasting: boolean }> {
  return new Promise((resolve) => {
    const worker = deps.fork(environment);
    let outcome: GpuProbeReport | { reason: string; lasting: boolean } | null = null;
    const end = (result: NonNullable<typeof outcome>) => {
      outcome ??= result;
      // Drivers have crashed and hung at an orderly end; nothing here is worth one.
      worker.kill('SIGKILL');
    };
    const timeout = deps.clock.after(probeTimeoutMs, () =>
      end({ reason: `${backend} did not start within ${probeTimeoutMs / 1_000} s`, lasting: true }),
    );
    worker.onMessage((message) => {
      if (message.type === 'load-failed') end({ reason: message.error.message, lasting: false });
      if (message.type !== 'probed') return;
      end(isReport(message.report) ? message.report : { reason: `${backend} gave no usable answer`, lasting: true });
    });
    worker.onExit(({ code, signal }) => {
      timeout.cancel();
      resolve(outcome ?? { reason: `${backend} crashed on start (${signal ?? `exit code ${code}`})`, lasting: true });
    });
    worker.send({ type: 'probe', backend });
  });
}

/** A driver that reports nonsense is not one to trust with a model. */
function isReport(report: GpuProbeReport): boolean {
  const { deviceNames, totalBytes, freeBytes, unifiedBytes } = report;
  const numbers = [totalBytes, freeBytes, unifiedBytes];
  return (
    Array.isArray(deviceNames) &&
    deviceNames.every((name) => typeof name === 'string' && name.length < 256) &&
    numbers.every((bytes) => Number.isSafeInteger(bytes) && bytes >= 0)
  );
}
