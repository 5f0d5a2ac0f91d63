import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { GpuBackend, GpuProbeReport } from '../../../src/ipc/gpu.ts';
import { probeBackend } from '../../../src/machine/gpu/probe.ts';
import { type FakeWorker, fakeWorker, settle } from '../../support/fake-worker.ts';
import { manualClock } from '../../support/manual-clock.ts';

const gib = 2 ** 30;
const report = (more: Partial<GpuProbeReport> = {}): GpuProbeReport => ({
  deviceNames: ['Card'],
  totalBytes: 8 * gib,
  freeBytes: 7 * gib,
  unifiedBytes: 0,
  ...more,
});

/** A probe over fake workers. `answers`: what each worker says, by the device that it was told to see. */
function setup(
  options: {
    backend?: GpuBackend;
    environment?: NodeJS.ProcessEnv;
    answer?: (visible: string | undefined, worker: FakeWorker) => void;
  } = {},
) {
  const { backend = 'vulkan', environment = {} } = options;
  const clock = manualClock();
  const workers: FakeWorker[] = [];
  const seen: Record<string, string>[] = [];
  const probing = probeBackend(
    {
      clock,
      environment,
      fork(given) {
        const worker = fakeWorker();
        workers.push(worker);
        seen.push(given);
        queueMicrotask(() => options.answer?.(Object.values(given)[0], worker));
        return worker;
      },
    },
    backend,
  );
  return { clock, workers, seen, probing };
}
const says = (given: GpuProbeReport) => (_visible: string | undefined, worker: FakeWorker) =>
  worker.emit({ type: 'probed', report: given });

describe('probing a backend', () => {
  it('asks a process of its own, lists its device and leaves no process', async () => {
    const { workers, probing } = setup({ answer: says(report()) });
    expect(await probing).toEqual({
      devices: [
        { backend: 'vulkan', name: 'Card', kind: 'discrete', totalBytes: 8 * gib, freeBytes: 7 * gib, environment: {} },
      ],
    });
    expect(workers[0]!.received).toEqual([{ type: 'probe', backend: 'vulkan' }]);
    expect(workers.map((worker) => worker.exited)).toEqual([true]);
  });

  it.each<[string, Partial<GpuProbeReport>, string]>([
    ['memory that is the machine’s own', { unifiedBytes: 8 * gib }, 'integrated'],
    ['a rasterizer on the CPU', { deviceNames: ['llvmpipe (LLVM 15.0.6, 256 bits)'] }, 'software'],
  ])('knows %s', async (_title, more, kind) => {
    expect(await setup({ answer: says(report(more)) }).probing).toMatchObject({ devices: [{ kind }] });
  });

  it('gives the library’s reason when the backend does not start, which may change', async () => {
    const error = new AppError('model_load_failed', 'cuda has no usable binary, driver or runtime here').toWire();
    const { probing } = setup({
      backend: 'cuda',
      answer: (_seen, worker) => worker.emit({ type: 'load-failed', error }),
    });
    expect(await probing).toEqual({ reason: 'cuda has no usable binary, driver or runtime here', lasting: false });
  });

  it('takes a backend without a device as unusable', async () => {
    const { probing } = setup({ answer: says(report({ deviceNames: [], totalBytes: 0, freeBytes: 0 })) });
    expect(await probing).toEqual({ reason: 'vulkan sees no device', lasting: false });
  });

  it('takes a crash as unusable for good', async () => {
    const { probing } = setup({ answer: (_seen, worker) => worker.exit({ signal: 'SIGSEGV' }) });
    expect(await probing).toEqual({ reason: 'vulkan crashed on start (SIGSEGV)', lasting: true });
  });

  it('kills a process that says nothing for 30 seconds', async () => {
    const { clock, workers, probing } = setup();
    await settle();
    clock.advance(29_999);
    await settle();
    expect(workers[0]!.exited).toBe(false);
    clock.advance(1);
    expect(await probing).toEqual({ reason: 'vulkan did not start within 30 s', lasting: true });
    expect(workers[0]!.exited).toBe(true);
  });

  it.each<[string, Partial<Record<keyof GpuProbeReport, unknown>>]>([
    ['a size that is no number', { totalBytes: 'much' }],
    ['a negative size', { freeBytes: -1 }],
    ['a size beyond all memory', { totalBytes: 2 ** 70 }],
    ['names that are no list', { deviceNames: 'Card' }],
    ['a name that is no text', { deviceNames: [7] }],
  ])('refuses %s', async (_title, more) => {
    const { probing } = setup({ answer: says(report(more as Partial<GpuProbeReport>)) });
    expect(await probing).toEqual({ reason: 'vulkan gave no usable answer', lasting: true });
  });

  it('asks each of several devices alone, and skips what the library leaves out or what crashes', async () => {
    const { seen, probing } = setup({
      answer(visible, worker) {
        if (visible === undefined) worker.emit({ type: 'probed', report: report({ deviceNames: ['Big', 'Small'] }) });
        else if (visible === '0') worker.emit({ type: 'probed', report: report({ deviceNames: ['llvmpipe'] }) });
        else if (visible === '1') worker.exit({ signal: 'SIGABRT' });
        else if (visible === '2')
          worker.emit({ type: 'probed', report: report({ deviceNames: ['Small'], freeBytes: gib }) });
        else worker.emit({ type: 'probed', report: report({ deviceNames: ['Big'] }) });
      },
    });
    expect(await probing).toMatchObject({
      devices: [
        { name: 'Small', freeBytes: gib, environment: { GGML_VK_VISIBLE_DEVICES: '2' } },
        { name: 'Big', freeBytes: 7 * gib, environment: { GGML_VK_VISIBLE_DEVICES: '3' } },
      ],
    });
    expect(seen).toHaveLength(5);
  });

  it('keeps to the devices that the operator chose', async () => {
    const { seen, probing } = setup({
      backend: 'cuda',
      environment: { CUDA_VISIBLE_DEVICES: '2,5' },
      answer: (visible, worker) =>
        worker.emit({ type: 'probed', report: report({ deviceNames: visible === undefined ? ['A', 'A'] : ['A'] }) }),
    });
    await probing;
    expect(seen).toEqual([{}, { CUDA_VISIBLE_DEVICES: '2' }, { CUDA_VISIBLE_DEVICES: '5' }]);
  });
});
