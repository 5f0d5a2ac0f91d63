import { cpuFeatures, expectedKernels, type KernelProbe } from '../machine/cpu-kernels.ts';
import type { KernelPaces } from '../machine/kernel-paces.ts';
import type { Box } from './box.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

const [id, title] = ['processor.kernels', 'Kernels'] as const;

/** Types of weights that take about as much room. */
const alike: readonly (readonly [string, readonly string[]])[] = [
  ['4 bits', ['q4_0', 'q4_1', 'q4_k', 'iq4_nl', 'iq4_xs']],
  ['5 bits', ['q5_0', 'q5_1', 'q5_k']],
];

/** Which of the library's code runs here, what it is fast at, and what kernels with our patches bring. */
export function checkKernels(box: Box, probe: KernelProbe, paces: KernelPaces | null): Finding {
  const has = cpuFeatures(box.readFile);
  const expected = has === null ? null : expectedKernels(box.architecture, has);
  if ('reason' in probe) {
    return failure(id, title, `llama.cpp does not start: ${probe.reason}`, {
      facts: { name: null, expected, built_here: null },
      means: 'No model can be loaded. SIGILL is an instruction that this processor does not have.',
      fix: `Run "npm ci" again, then "npm run build:kernels -- --restore"; report it with ${box.sayCommand('doctor --bundle report.json')} if that does not help.`,
    });
  }
  const { kernels } = probe;
  const facts = { name: kernels?.name ?? null, expected, built_here: kernels?.isBuiltHere ?? null };
  if (kernels === null || paces === null)
    return ok(id, title, 'the library has none to choose from on this system', { facts });
  const name = `${kernels.name} (${kernels.isBuiltHere ? 'built here, with our patches' : "the library's own"})`;
  const found = [name, ...speedLines(paces)].join('\n');
  const speed = { facts: { ...facts, ...speedFacts(paces) }, means: gainWords(paces) };
  if (expected !== null && expected !== kernels.name) {
    return warning(id, title, found, {
      facts: speed.facts,
      means: `For this processor ${expected} would be taken; the library may not have been able to load it.`,
      fix: 'Run "npm ci" again; kernels that were built elsewhere may not fit.',
    });
  }
  return ok(id, title, found, speed);
}

/** The best quantization of 4 bits for whoever is to choose one: `Q4_0 before Q4_K`; null where none is much better. */
export function preferenceOf({ paces }: Pick<KernelPaces, 'paces'>): string | null {
  const [best, ...others] = ranked(paces, ['q4_0', 'q4_k']);
  const next = others[0];
  return best && next && next.share < 0.8 ? `${best.type.toUpperCase()} before ${next.type.toUpperCase()}` : null;
}

/** Types by how fast prompts are read with them, each as a share of the fastest. */
function ranked(paces: KernelPaces['paces'], types: readonly string[]): { type: string; share: number }[] {
  const known = types.flatMap((type) => (paces?.types[type] ? [{ type, prompt: paces.types[type].prompt }] : []));
  const most = Math.max(...known.map(({ prompt }) => prompt));
  return known.map(({ type, prompt }) => ({ type, share: prompt / most })).sort((a, b) => b.share - a.share);
}

function speedLines({ paces }: KernelPaces): string[] {
  return alike.flatMap(([bits, types]) => {
    const [best, ...others] = ranked(paces, types);
    if (!best) return [];
    const rest = others.map(({ type, share }) => `${type.toUpperCase()} ${share.toFixed(2)}`).join(', ');
    return [`of ${bits} ${best.type.toUpperCase()} reads prompts fastest; against it ${rest}`];
  });
}

function speedFacts(known: KernelPaces) {
  const { paces } = known;
  return {
    measured_here: paces?.isMeasuredHere ?? null,
    measured_on: paces?.machine ?? null,
    tokens_per_second_of_one_thread: paces?.types ?? null,
    gain_of_built: gainsOf(known).map(({ type, prompt, decode }) => ({ type, prompt, decode })),
  };
}

function gainsOf(known: KernelPaces) {
  return Object.keys(known.paces?.types ?? {}).flatMap((type) => {
    const gain = known.gainOfBuilt({ [type]: 1 });
    return gain ? [{ type, ...gain }] : [];
  });
}

/** What kernels with our patches bring, or would; null: nothing to say. */
function gainWords(known: KernelPaces): string | null {
  const { kernels, paces } = known;
  const isBuilt = kernels?.isBuiltHere ?? false;
  // What people have models in.
  const usual = ['q4_0', 'q4_k', 'q5_k', 'q6_k', 'q8_0'];
  const gains = gainsOf(known)
    .filter(({ type }) => usual.includes(type))
    .sort((left, right) => left.prompt - right.prompt);
  const [least, most] = [gains[0], gains.at(-1)];
  const where = gains[0]?.isMeasuredHere ? 'on this machine' : `on ${paces?.machine ?? 'another machine'}`;
  if (!least || !most) {
    if (isBuilt) return '"npm run measure:kernels" measures what they are fast at.';
    return '"npm run build:kernels" tries whether faster ones can be built for this processor.';
  }
  const of = ({ type, prompt }: typeof least) => `${prompt.toFixed(1)} (${type.toUpperCase()})`;
  const times = `${of(least)} to ${of(most)} times`;
  if (isBuilt) return `They read prompts ${times} as fast as the library's own, measured ${where}.`;
  if (most.prompt < 1.05) return null;
  return `With our patches they read prompts ${times} as fast, measured ${where}: "npm run build:kernels" builds them.`;
}
