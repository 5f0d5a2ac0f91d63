/**
 * Tries the GPU of this machine once, end to end: `node scripts/gpu-check.ts [--backend cuda|vulkan|metal] [--model FILE]`.
 * Looks, probes, plans, loads the model on the GPU and on the CPU, compares greedy text and prints tokens per second.
 * Exits with 1 when the GPU cannot be used or its text is another from the first token on.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/core/clock.ts';
import { type LoadPlan, planLoad } from '../src/engine/memory/plan.ts';
import { repackRulesOf } from '../src/engine/memory/repack.ts';
import { startWorker } from '../src/engine/residents/model-worker.ts';
import { forkWorker } from '../src/ipc/fork.ts';
import type { GpuBackend } from '../src/ipc/gpu.ts';
import type { GpuDevice } from '../src/machine/gpu/device.ts';
import { findGpuNodes, systemGpuFiles } from '../src/machine/gpu/nodes.ts';
import { probeBackend } from '../src/machine/gpu/probe.ts';
import { createLogger } from '../src/observe/logger.ts';
import { type GgufFacts, readGguf } from '../src/store/gguf/gguf.ts';

const { values } = parseArgs({
  options: { backend: { type: 'string' }, model: { type: 'string' }, tokens: { type: 'string', default: '128' } },
});
const builtIn = fileURLToPath(new URL('../models/hearth-guide-3m-q8_0.gguf', import.meta.url));
const modelPath = values.model ?? builtIn;
const maxTokens = Number(values.tokens);
const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
const print = (line: string) => process.stdout.write(`${line}\n`);
const fork = (environment: Record<string, string>) =>
  forkWorker({ env: { ...process.env, ...environment }, libuvThreads: 1 });

function fail(message: string): never {
  print(message);
  process.exit(1);
}

const found = findGpuNodes(systemGpuFiles());
for (const node of found.nodes)
  print(`node     ${node.path} ${node.name}${node.canOpen ? '' : ' (may not be opened)'}`);
if (found.nvidiaDriver !== null) print(`driver   NVIDIA ${found.nvidiaDriver}`);
for (const problem of found.problems) print(`problem  ${problem}`);

const backends: GpuBackend[] = ['cuda', 'vulkan', 'metal'];
const wanted = backends.filter((backend) => values.backend === undefined || backend === values.backend);
const devices: GpuDevice[] = [];
for (const backend of wanted) {
  const startedMs = performance.now();
  const result = await probeBackend({ fork, clock: systemClock, environment: process.env }, backend);
  const took = `${Math.round(performance.now() - startedMs)} ms`;
  if ('reason' in result) print(`probe    ${result.reason} (${took})`);
  else devices.push(...result.devices);
  for (const device of 'devices' in result ? result.devices : []) {
    const { name, kind, freeBytes, totalBytes } = device;
    print(`probe    ${backend}: ${name}, ${kind}, ${gib(freeBytes)} of ${gib(totalBytes)} free (${took})`);
  }
}
const device = devices[0] ?? fail('no GPU can be used');

const facts: GgufFacts = await readGguf(modelPath);
const planOn = (gpu: GpuDevice | null): LoadPlan => {
  const plan = planLoad({
    facts,
    wish: { slots: 1, contextTokens: 2_048 },
    budget: { availableBytes: Number.MAX_SAFE_INTEGER, totalBytes: Number.MAX_SAFE_INTEGER },
    repackRules: repackRulesOf(systemGpuFiles().read('/proc/cpuinfo'), process.arch),
    threads: availableParallelism(),
    gpu,
    correctionBytes: () => 0,
  });
  return plan.type === 'plan' ? plan : fail(plan.message);
};

async function run(name: string, plan: LoadPlan, on: GpuDevice | null) {
  const worker = fork(on?.environment ?? {});
  const resident = await startWorker({
    worker,
    options: {
      purpose: 'generate',
      model: 'm',
      modelPath,
      contextTokens: plan.contextTokens,
      slots: 1,
      batchTokens: plan.batchTokens,
      useMmap: plan.useMmap,
      kvType: plan.kvType,
      vault: null,
      flashAttention: plan.flashAttention,
      maxThreads: plan.threads,
      threads: plan.threads,
      libuvThreads: 1,
      drafts: true,
      gpu: on && { backend: on.backend, layers: plan.gpuLayers, bytes: plan.gpuBytes },
    },
    loadTimeoutMs: 600_000,
    clock: systemClock,
    log: createLogger('error'),
    onStep: () => {},
  });
  const answer = async () => {
    let text = '';
    let speed = '';
    const events = resident.generate(
      {
        model: name,
        input: {
          type: 'chat',
          messages: [{ role: 'user', content: [{ type: 'text', text: 'What is Hearth?' }] }],
          tools: [],
          toolChoice: { type: 'auto' },
        },
        sampling: { temperature: 0 },
        format: { type: 'text' },
        topLogprobs: null,
        maxTokens,
        stop: [],
        owner: null,
        promptCache: 'none',
      },
      new AbortController().signal,
      { onToken: () => {}, onSettled: () => {} },
    );
    for await (const event of events) {
      if (event.type === 'text-delta' || event.type === 'reasoning-delta') text += event.text;
      if (event.type !== 'finish') continue;
      const tokens = event.usage.outputTokens ?? 0;
      const perSecond = (tokens * 1_000) / Math.max(1, event.timings.decodeMs ?? 1);
      speed = `${tokens} tokens, ${perSecond.toFixed(1)} tokens/s, prompt ${Math.round(event.timings.prefillMs ?? 0)} ms`;
    }
    return { text, speed };
  };
  // The first answer pays for kernels that are compiled or uploaded on first use.
  await answer();
  const { text, speed } = await answer();
  print(`${name.padEnd(8)} ${speed}`);
  await resident.stop();
  return text;
}

const plan = planOn(device);
print(`plan     ${plan.gpuLayers} of ${facts.layerBytes.length + 1} layers, ${gib(plan.gpuBytes)} of video memory`);
if (plan.gpuLayers === 0) fail('no layer fits onto the GPU');
const onGpu = await run(device.backend, plan, device);
const onCpu = await run('cpu', planOn(null), null);
let same = 0;
while (same < onCpu.length && onGpu[same] === onCpu[same]) same++;
print(`text     ${onGpu === onCpu ? 'equal' : `equal for ${same} of ${onCpu.length} characters`}`);
print(onGpu);
if (same === 0 && onCpu !== '') process.exit(1);
