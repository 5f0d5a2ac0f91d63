import { usableCores } from '../machine/cores.ts';
import {
  cpuFeatures,
  expectedKernels,
  type KernelProbe,
  lackingFeatures,
  processorName,
} from '../machine/cpu-kernels.ts';
import type { Box } from './box.ts';
import { byPlace } from './container.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** The processor: what it can do, which of the library's code it gets, how many cores are ours. */
export async function checkProcessor(box: Box, probeKernels: () => Promise<KernelProbe>): Promise<Finding[]> {
  return [checkInstructions(box), await checkKernels(box, probeKernels), checkCores(box)];
}

function checkInstructions(box: Box): Finding {
  const has = cpuFeatures(box.readFile);
  const name = processorName(box.readFile);
  const title = 'Processor';
  if (has === null) return ok('processor.instructions', title, name ?? box.architecture, { facts: { name } });
  const lacks = lackingFeatures(box.architecture, has);
  const facts = { name, has: [...has], lacks };
  const listed = has.size === 0 ? 'nothing beyond the basic instructions' : [...has].join(', ');
  const without = lacks.length === 0 ? '' : `; without ${lacks.join(', ')}`;
  const found = `${name === null ? '' : `${name}: `}${listed}${without}`;
  const isSlow = box.architecture === 'x64' ? !has.has('AVX2') : !has.has('dot product');
  if (!isSlow) return ok('processor.instructions', title, found, { facts });
  return warning('processor.instructions', title, found, {
    facts,
    means: `It has no ${box.architecture === 'x64' ? 'AVX2' : 'dot product'}: answers come at a fraction of the usual speed.`,
    fix: 'Take models of up to 1.5 billion parameters, and Q4_0 before Q4_K.',
  });
}

async function checkKernels(box: Box, probeKernels: () => Promise<KernelProbe>): Promise<Finding> {
  const has = cpuFeatures(box.readFile);
  const expected = has === null ? null : expectedKernels(box.architecture, has);
  const result = await probeKernels();
  const [id, title] = ['processor.kernels', 'Kernels'];
  if ('reason' in result) {
    return failure(id, title, `llama.cpp does not start: ${result.reason}`, {
      facts: { name: null, expected, built_here: null },
      means: 'No model can be loaded. SIGILL is an instruction that this processor does not have.',
      fix: `Run "npm ci" again, then "npm run build:kernels -- --restore"; report it with ${box.sayCommand('doctor --bundle report.json')} if that does not help.`,
    });
  }
  const { kernels } = result;
  const facts = { name: kernels?.name ?? null, expected, built_here: kernels?.isBuiltHere ?? null };
  if (kernels === null) return ok(id, title, 'the library has none to choose from on this system', { facts });
  const found = `${kernels.name} (${kernels.isBuiltHere ? 'built here, with our patches' : "the library's own"})`;
  if (expected !== null && expected !== kernels.name) {
    return warning(id, title, found, {
      facts,
      means: `For this processor ${expected} would be taken; the library may not have been able to load it.`,
      fix: 'Run "npm ci" again; kernels that were built elsewhere may not fit.',
    });
  }
  return ok(id, title, found, {
    facts,
    ...(!kernels.isBuiltHere && {
      means: '"npm run build:kernels" tries whether faster ones can be built for this processor.',
    }),
  });
}

function checkCores(box: Box): Finding {
  const { cores, affinity, quotaCores, physicalCores, source } = usableCores({
    readFile: box.readFile,
    affinityCount: box.affinityCount,
  });
  const facts = { cores, affinity, physical_cores: physicalCores, quota_cores: quotaCores, source };
  const group = byPlace(box, { container: 'container', plain: 'control group' });
  const why = {
    affinity: 'processors that this process may run on',
    'physical-cores': `of ${affinity} threads of the processor`,
    quota: `by the quota of the ${group}, ${quotaCores?.toFixed(2)}`,
  }[source];
  const found = `${cores} (${why})`;
  if (quotaCores !== null && quotaCores < 1) {
    return warning('processor.cores', 'Cores', found, {
      facts,
      means: `The ${group} is frozen for a part of the time, and so is every answer.`,
      fix: `Give the ${group} at least one processor, or take the limit away.`,
    });
  }
  return ok('processor.cores', 'Cores', found, { facts });
}
