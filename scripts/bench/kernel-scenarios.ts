import { quantile } from './statistics.ts';

/** A row, as `--only` calls it. */
export type ScenarioKey = 'prompt' | 'decode' | 'deep' | 'streams' | 'portion';

/** What one row of the table measures. */
export interface Scenario {
  key: ScenarioKey;
  name: string;
  /** Tokens that stand in the context before. */
  depth: number;
  /** Tokens of a prompt that are read, until the first token of an answer; 0: none. */
  read: number;
  /** Tokens that every stream gets, one in each step; 0: none. */
  steps: number;
  streams: number;
}

const scenario = (key: ScenarioKey, name: string, measured: Partial<Scenario>): Scenario => ({
  ...{ key, name, depth: 0, read: 0, steps: 0, streams: 1 },
  ...measured,
});

/** The rows, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  scenario('prompt', 'prompt of 512', { read: 512 }),
  scenario('decode', 'decode, empty context', { steps: 64 }),
  scenario('deep', 'decode at 2,000 tokens', { depth: 2_000, steps: 32 }),
  scenario('streams', 'eight streams in sum', { steps: 24, streams: 8 }),
  scenario('portion', 'a 64-token portion at depth 3,000', { depth: 3_000, read: 64 }),
];

/** What a process that measures is told. `fill`: gives the one stream a context of so many tokens, from a file if it is there. */
export type ToKernelRunner = { type: 'fill'; tokens: number; file: string } | { type: 'measure'; scenario: Scenario };

/** How long some tokens took: on the wall, and of processors that worked for the process. */
export interface Took {
  tokens: number;
  wallMs: number;
  processorMs: number;
}

export type Clock = 'wall' | 'processor';

export interface Quartiles {
  lower: number;
  median: number;
  upper: number;
}

/** One row: tokens per second of both sides, and how often as fast ours are. */
export interface Comparison {
  /** Medians of the rounds. */
  library: number;
  here: number;
  /** Of the ratios of each round. */
  ratio: Quartiles;
}

/** Compares rounds of both sides: the one and the other of a round ran right behind each other. */
export function comparisonOf(library: readonly Took[], here: readonly Took[], clock: Clock): Comparison {
  const paceOf = (took: Took) => (took.tokens * 1_000) / (clock === 'wall' ? took.wallMs : took.processorMs);
  const [before, after] = [library.map(paceOf), here.map(paceOf)];
  return {
    library: quantile(before, 0.5)!,
    here: quantile(after, 0.5)!,
    ratio: quartilesOf(after.map((pace, round) => pace / before[round]!)),
  };
}

/** Of at least one value. */
export function quartilesOf(values: readonly number[]): Quartiles {
  const [lower, median, upper] = [0.25, 0.5, 0.75].map((share) => quantile(values, share)!);
  return { lower: lower!, median: median!, upper: upper! };
}

export const renderRatio = ({ lower, median, upper }: Quartiles) =>
  `${median.toFixed(2)} (${lower.toFixed(2)}-${upper.toFixed(2)})`;

/** Nothing may be slower than this, which is what a measurement is worth. */
const leastRatio = 0.98;

/** How often as fast as the library's kernels ours should be, by row; `types`: where it is another ratio for prompts. */
type Aims = Readonly<Record<ScenarioKey, number> & { types: Readonly<Record<string, number>> }>;

/** Of types that no aim was set for, prompts only must not lose. */
const others = { q5_1: leastRatio, iq4_nl: leastRatio };
const withoutAvx: Aims = {
  ...{ prompt: 8, decode: 2.5, deep: 3, streams: 4, portion: 4 },
  types: { q8_0: 4, q4_0: 3, ...others },
};
const withAvx2: Aims = {
  ...{ prompt: 2, decode: 1.05, deep: 1.5, streams: 1.3, portion: 2 },
  types: { q8_0: 1.5, q4_k: 1.5, q4_0: 1.3, ...others },
};
const withAvx512: Aims = { prompt: 1, decode: 1, deep: 1.2, streams: 1, portion: 2, types: others };
const withAvx512Names = 'skylakex cannonlake cascadelake icelake cooperlake zen4 sapphirerapids'.split(' ');
const aimsByKernels = new Map([
  ['sse42', withoutAvx],
  ['haswell', withAvx2],
  ['alderlake', withAvx2],
  ...withAvx512Names.map((name) => [name, withAvx512] as const),
]);

/** Which ratio is wanted of kernels (`haswell`) in a row, for weights of a type (`q4_1`). */
export function aimOf(kernels: string, key: ScenarioKey, type: string): number {
  const aims = aimsByKernels.get(kernels);
  return (key === 'prompt' ? aims?.types[type] : undefined) ?? aims?.[key] ?? leastRatio;
}
