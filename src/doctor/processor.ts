import { libraryFolder } from '../config/package.ts';
import { usableCores } from '../machine/cores.ts';
import { cpuFeatures, type KernelProbe, lackingFeatures, processorName } from '../machine/cpu-kernels.ts';
import { type KernelPaces, readKernelPaces } from '../machine/kernel-paces.ts';
import type { Box } from './box.ts';
import { byPlace } from './container.ts';
import { type Finding, ok, warning } from './finding.ts';
import { checkKernels, preferenceOf } from './kernels.ts';

/** The processor: what it can do, which of the library's code it gets, how many cores are ours. */
export async function checkProcessor(box: Box, probeKernels: () => Promise<KernelProbe>): Promise<Finding[]> {
  const probe = await probeKernels();
  const kernels = 'reason' in probe ? null : probe.kernels;
  const paces = kernels && readKernelPaces({ ...box, libraryFolder: libraryFolder(), kernels });
  return [checkInstructions(box, paces), checkKernels(box, probe, paces), checkCores(box)];
}

function checkInstructions(box: Box, paces: KernelPaces | null): Finding {
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
  const preference = paces && preferenceOf(paces);
  return warning('processor.instructions', title, found, {
    facts,
    means: `It has no ${box.architecture === 'x64' ? 'AVX2' : 'dot product'}: answers come at a fraction of the usual speed.`,
    fix: `Take models of up to 1.5 billion parameters${preference === null ? '' : `, and ${preference}`}.`,
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
