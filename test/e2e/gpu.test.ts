import { afterEach, describe, expect, it } from 'vitest';
import { ask, metric, postJson } from '../support/client.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { softwareVulkan } from '../support/software-vulkan.ts';

const software = softwareVulkan();
const environment = 'skip' in software ? {} : software.environment;
const reason = 'skip' in software ? ` (skipped: ${software.skip})` : '';

/** What the tests look at of a model's record. */
interface Model {
  gpu: string;
  gpu_device: string | null;
  gpu_layers: number;
  gpu_memory_bytes: number;
  gpu_reason: string | null;
}

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

async function load(wish: object = {}): Promise<Model> {
  const { status, body } = await postJson(`${server.baseUrl}/models/${builtInModel}/load`, wish);
  expect({ status, body }).toMatchObject({ status: 200 });
  return (body as { model: Model }).model;
}
const health = async () => (await (await fetch(`${server.baseUrl}/health`)).json()) as { gpus: object[] };

describe.skipIf('skip' in software)(`a model on a GPU, with Vulkan in software${reason}`, () => {
  it('has every layer there, answers as on the CPU, and is shown with its video memory', async () => {
    server = await startServer({ env: { ...environment, HEARTH_GPU: 'vulkan' } });
    expect((await health()).gpus).toEqual([]);
    const planned = await (await fetch(`${server.baseUrl}/models/${builtInModel}/plan`)).json();
    const question = 'What is Hearth?';
    // The first request loads the model as configured.
    const onGpu = await ask(server.baseUrl, question);
    const model = await load();
    expect(model).toMatchObject({ gpu: 'vulkan', gpu_layers: 7, gpu_reason: null });
    expect(model.gpu_device).toMatch(/llvmpipe/);
    expect(model.gpu_memory_bytes).toBeGreaterThan(3_000_000);
    expect(planned).toMatchObject({ plan: { gpu_layers: 7, gpu_memory_bytes: model.gpu_memory_bytes } });
    expect((await health()).gpus).toMatchObject([
      { name: model.gpu_device, backend: 'vulkan', kind: 'software', memory_bytes: expect.any(Number) },
    ]);
    const label = `{model="${builtInModel}"}`;
    const gpu = `{gpu="0",name="${model.gpu_device}",backend="vulkan"}`;
    expect(await metric(server.baseUrl, `hearth_model_gpu_bytes${label}`)).toBe(model.gpu_memory_bytes);
    const total = await metric(server.baseUrl, `hearth_gpu_memory_bytes${gpu}`);
    expect(await metric(server.baseUrl, `hearth_gpu_memory_free_bytes${gpu}`)).toBe(total - model.gpu_memory_bytes);

    expect(await load({ prefer_gpu: false })).toMatchObject({ gpu: 'off', gpu_device: null, gpu_layers: 0 });
    expect(await ask(server.baseUrl, question)).toEqual(onGpu);
    expect(await metric(server.baseUrl, `hearth_model_gpu_bytes${label}`)).toBe(0);
  });

  it('stays on the CPU when the library sees no device that it takes for a GPU, and says so', async () => {
    const { GGML_VK_VISIBLE_DEVICES: _none, ...rest } = environment;
    server = await startServer({ env: { ...rest, HEARTH_GPU: 'vulkan' } });
    expect(await load()).toMatchObject({ gpu: 'off', gpu_layers: 0, gpu_reason: 'vulkan sees no device' });
    expect((await ask(server.baseUrl, 'What is Hearth?')).finishReason).toBe('stop');
    expect((await health()).gpus).toEqual([]);
  });
});

describe('a GPU that cannot be used', () => {
  // Metal asked for on another system is not to become Vulkan.
  const absent = process.platform === 'darwin' ? ['vulkan'] : ['vulkan', 'metal'];
  it.each(absent)('%s is no reason not to serve: the model is on the CPU, and its record says why', async (backend) => {
    // No driver is found where there is none, whatever this machine has.
    const nowhere = { VK_ICD_FILENAMES: '/nowhere', VK_DRIVER_FILES: '/nowhere' };
    server = await startServer({ env: { HEARTH_GPU: backend, ...(backend === 'vulkan' ? nowhere : environment) } });
    const model = await load();
    expect(model).toMatchObject({ gpu: 'off', gpu_device: null, gpu_layers: 0, gpu_memory_bytes: 0 });
    expect(
      ['sees no device', 'has no usable binary, driver or runtime here'].map((why) => `${backend} ${why}`),
    ).toContain(model.gpu_reason);
    expect((await ask(server.baseUrl, 'What is Hearth?')).finishReason).toBe('stop');
  });
});
