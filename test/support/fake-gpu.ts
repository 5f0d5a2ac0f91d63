import type { GpuChoice, GpuSelector } from '../../src/engine/gpu/select.ts';
import type { GpuDevice } from '../../src/machine/gpu/device.ts';

/** A graphics card with 8 GiB, 7 of them free. */
export const someGpu: GpuDevice = {
  backend: 'vulkan',
  name: 'Some GPU',
  kind: 'discrete',
  totalBytes: 8 * 2 ** 30,
  freeBytes: 7 * 2 ** 30,
  environment: { GGML_VK_VISIBLE_DEVICES: '1' },
};

/** A selector that gives the device to everyone but those that were blamed, and remembers what it was told. */
export function fakeGpu(device: GpuDevice | null = null): GpuSelector & { told: string[] } {
  const blamed = new Map<string, string>();
  const told: string[] = [];
  let current = device;
  return {
    told,
    async choose(modelId, wish): Promise<GpuChoice> {
      const reason = blamed.get(modelId) ?? null;
      return current && reason === null && wish !== 'off' ? { device: current } : { device: null, reason };
    },
    known: (modelId, wish) => (wish === 'off' || blamed.has(modelId) ? null : current),
    blame(modelId, reason) {
      blamed.set(modelId, reason);
      told.push(`blame ${modelId}: ${reason}`);
    },
    forgive(modelId) {
      blamed.delete(modelId);
      told.push(`forgive ${modelId}`);
    },
    noteFree(of, freeBytes) {
      current = { ...of, freeBytes };
      told.push(`free ${freeBytes}`);
    },
    freeBytes: (of) => of.freeBytes,
    status: () => ({
      devices: current ? [{ device: current, freeBytes: current.freeBytes }] : [],
      problems: [...blamed.values()],
    }),
  };
}
