import { memorySize } from '../../core/format-units.ts';
import type { ExpectedMemory, KvType, MemoryShortage, PlannedSettings } from '../../core/plan.ts';
import type { GpuDevice } from '../../machine/gpu/device.ts';
import type { GgufFacts } from '../../store/gguf/gguf.ts';
import { expectBytes, type LoadShape, repacks } from './expect.ts';
import { planGpuLayers, ramBeside, usableGpuBytes } from './gpu-layers.ts';
import { allowsQuantizedKv, usesFlashAttention } from './kv-cache.ts';
import type { RepackRules } from './repack.ts';

/** Settings with which a model fits; `contextTokens` is a multiple of 256 unless the model was trained with less. */
export interface LoadPlan extends PlannedSettings {
  type: 'plan';
  /** Which defaults were lowered to fit. */
  reduced: ('slots' | 'context' | 'batch' | 'kv-type')[];
  /** It does not fit, and is loaded all the same. */
  isForced?: true;
}

/** A model that does not fit, with the numbers. */
export interface LoadRefusal extends MemoryShortage {
  type: 'refusal';
}

export type LoadOutcome = LoadPlan | LoadRefusal;

export interface PlanInput {
  facts: GgufFacts;
  /** What was asked for; it is kept or refused, never quietly reduced, except to what the model was trained with. */
  wish: { contextTokens?: number; slots?: number; kvType?: KvType; force?: boolean };
  budget: {
    /** Free for this load. */
    availableBytes: number;
    /** Of server and models in all; decides the default number of slots. */
    totalBytes: number;
    /** What an operator keeps away from it; named where it would change a refusal. Left out: nothing. */
    kept?: {
      /** Left to others. */
      reserveBytes: number;
      /** The operator's own limit, where it is the least of all. */
      limitBytes: number | null;
    };
  };
  /** What the CPU copies at load. */
  repackRules: RepackRules;
  /** Decoding threads that this model may use at most. */
  threads: number;
  /** The device that layers may go to, with its free memory; null: the CPU does everything. */
  gpu: Pick<GpuDevice, 'backend' | 'kind' | 'totalBytes' | 'freeBytes'> | null;
  /** What an earlier load took beyond the estimate, by how the file is opened; 0 where nothing is known. */
  correctionBytes: (shape: LoadShape) => number;
}

const defaultContextTokens = 8_192;
/** The ladder goes no lower by itself: with less, chats with a system prompt and tools stop working. */
const leastContextTokens = 2_048;
const contextStepTokens = 256;
const batchSteps = [512, 256, 128];
const gib = 2 ** 30;

type Expect = (shape: LoadShape) => ExpectedMemory;

/**
 * Decides whether a model fits and with which settings. Takes the first that fits of: all as wished or by default;
 * fewer slots; a smaller context, halved each time; a smaller batch; a cache of 8 bits. Where none fits and the wish says so, the
 * last of them is taken all the same. Pure; never throws.
 */
export function planLoad(input: PlanInput): LoadOutcome {
  const { facts, wish, budget } = input;
  const trained = facts.trainedContextTokens ?? Number.POSITIVE_INFINITY;
  const expect: Expect = (shape) => expectBytes(facts, shape, input.repackRules, input.correctionBytes(shape));
  const start: LoadShape = {
    contextTokens: roundContext(wish.contextTokens ?? Math.min(trained, defaultContextTokens), trained),
    slots: wish.slots ?? defaultSlots(budget.totalBytes),
    batchTokens: batchSteps[0]!,
    useMmap: !repacks(facts, input.repackRules),
    kvType: allowsQuantizedKv(facts) ? (wish.kvType ?? 'f16') : 'f16',
  };
  const shapes = ladder(facts, start, wish, trained).map((shape) => withBatch(facts, shape));
  const toPlan = (shape: LoadShape, placed: Placed): LoadPlan => ({
    type: 'plan',
    ...shape,
    flashAttention: usesFlashAttention(facts, shape.kvType),
    threads: input.threads,
    ...placed,
    reduced: reductions(start, shape),
    notes: describeChanges(start, shape, wish, trained),
  });
  for (const shape of shapes) {
    const placed = placements(input, expect(shape), shape.batchTokens);
    const fit = placed.find(({ expectedBytes }) => expectedBytes.total <= budget.availableBytes);
    if (fit) return toPlan(shape, fit);
  }
  const least = shapes.at(-1)!;
  if (!wish.force) return refuse(facts, expect, least, trained, budget);
  const plan = toPlan(least, placements(input, expect(least), least.batchTokens)[0]!);
  return {
    ...plan,
    isForced: true,
    notes: [...plan.notes, forcedNote(plan.expectedBytes.total, budget.availableBytes)],
  };
}

function forcedNote(neededBytes: number, availableBytes: number): string {
  return `needs ${memorySize(neededBytes)} where ${memorySize(availableBytes)} are available, and is loaded all the same: the machine may swap, or end it`;
}

type Placed = Pick<LoadPlan, 'gpuLayers' | 'gpuBytes' | 'expectedBytes'>;

/** With as much on the GPU as fits there, where there is one; then, should its driver be what is too much, without. */
function placements({ facts, gpu }: PlanInput, whole: ExpectedMemory, batchTokens: number): Placed[] {
  const onCpu = { gpuLayers: 0, gpuBytes: 0, expectedBytes: whole };
  if (!gpu) return [onCpu];
  const share = planGpuLayers(facts, { ...whole, batchTokens }, usableGpuBytes(gpu));
  return [
    { gpuLayers: share.layers, gpuBytes: share.bytes.total, expectedBytes: ramBeside(whole, facts, share, gpu) },
    onCpu,
  ];
}

/** Every shape in the order in which it is tried; each differs from the one before in one step. */
function ladder(facts: GgufFacts, start: LoadShape, wish: PlanInput['wish'], trained: number): LoadShape[] {
  const shapes = [start];
  let shape = start;
  const step = (change: Partial<LoadShape>) => {
    shape = { ...shape, ...change };
    shapes.push(shape);
  };
  if (wish.slots === undefined) while (shape.slots > 1) step({ slots: shape.slots - 1 });
  if (wish.contextTokens === undefined) {
    const floor = Math.min(leastContextTokens, trained);
    while (shape.contextTokens > floor) {
      step({ contextTokens: Math.max(floor, roundContext(Math.floor(shape.contextTokens / 2), trained)) });
    }
  }
  for (const batchTokens of batchSteps.slice(1)) step({ batchTokens });
  if (wish.kvType === undefined && allowsQuantizedKv(facts)) step({ kvType: 'q8_0' });
  return shapes;
}

/** Encoders need the whole text in one batch; nobody else needs a batch longer than the context. */
function withBatch(facts: GgufFacts, shape: LoadShape): LoadShape {
  const batchTokens = facts.isEncoder ? shape.contextTokens : Math.min(shape.batchTokens, shape.contextTokens);
  return { ...shape, batchTokens };
}

function roundContext(tokens: number, trained: number): number {
  return Math.min(trained, Math.ceil(Math.max(1, tokens) / contextStepTokens) * contextStepTokens);
}

function defaultSlots(totalBytes: number): number {
  if (totalBytes < 6 * gib) return 1;
  return totalBytes < 12 * gib ? 2 : 4;
}

function reductions(start: LoadShape, shape: LoadShape): LoadPlan['reduced'] {
  return [
    ...(shape.slots < start.slots ? (['slots'] as const) : []),
    ...(shape.contextTokens < start.contextTokens ? (['context'] as const) : []),
    ...(shape.batchTokens < Math.min(start.batchTokens, shape.contextTokens) ? (['batch'] as const) : []),
    ...(shape.kvType !== start.kvType ? (['kv-type'] as const) : []),
  ];
}

function describeChanges(start: LoadShape, shape: LoadShape, wish: PlanInput['wish'], trained: number): string[] {
  const notes: string[] = [];
  if (wish.contextTokens !== undefined && wish.contextTokens > trained) {
    notes.push(`context reduced from ${wish.contextTokens} to the ${trained} tokens that the model was trained with`);
  }
  if (wish.kvType === 'q8_0' && start.kvType !== 'q8_0') {
    notes.push('key-value cache kept in 16 bits: this model cannot have it in 8');
  }
  const reduced = reductions(start, shape);
  if (reduced.includes('slots')) notes.push(`slots reduced from ${start.slots} to ${shape.slots} to fit the memory`);
  if (reduced.includes('context')) {
    notes.push(`context reduced from ${start.contextTokens} to ${shape.contextTokens} tokens to fit the memory`);
  }
  if (reduced.includes('batch')) {
    notes.push(`batch reduced from ${start.batchTokens} to ${shape.batchTokens} tokens to fit the memory`);
  }
  if (reduced.includes('kv-type')) notes.push('key-value cache kept in 8 bits instead of 16 to fit the memory');
  return notes;
}

/** `least`: the smallest shape that the wish allows. */
function refuse(
  facts: GgufFacts,
  expect: Expect,
  least: LoadShape,
  trained: number,
  { availableBytes, kept }: PlanInput['budget'],
): LoadRefusal {
  const neededBytes = expect(least).total;
  const nearest = findNearest(facts, expect, least, trained, availableBytes);
  const way = nearest
    ? `; it would fit with ${nearest.slots} ${nearest.slots === 1 ? 'slot' : 'slots'} of ${nearest.contextTokens} tokens (models.parallel, models.context_length)`
    : '; choose a smaller model or quantization, or free memory';
  const shortfallBytes = neededBytes - availableBytes;
  return {
    type: 'refusal',
    neededBytes,
    availableBytes,
    shortfallBytes,
    nearest,
    message: `needs ${memorySize(neededBytes)}, ${memorySize(availableBytes)} are available${way}${settings(shortfallBytes, kept)}.`,
  };
}

/** Settings with another value of which it would fit, or might. */
function settings(shortfallBytes: number, kept: PlanInput['budget']['kept']): string {
  if (!kept) return '';
  const { reserveBytes, limitBytes } = kept;
  // As one writes them there.
  const written = (bytes: number) => `${Math.round(bytes / 2 ** 20)}MiB`;
  return [
    limitBytes === null ? '' : `; engine.memory_limit allows ${written(limitBytes)}`,
    reserveBytes > 0 && shortfallBytes <= reserveBytes
      ? `; engine.memory_reserve leaves ${written(reserveBytes)} to others`
      : '',
  ].join('');
}

/** The largest context, then the most slots, below what was asked for that fit. */
function findNearest(
  facts: GgufFacts,
  expect: Expect,
  least: LoadShape,
  trained: number,
  availableBytes: number,
): MemoryShortage['nearest'] {
  const floor = Math.min(contextStepTokens, trained);
  for (
    let contextTokens = least.contextTokens;
    ;
    contextTokens = roundContext(Math.floor(contextTokens / 2), trained)
  ) {
    for (let slots = least.slots; slots >= 1; slots--) {
      const neededBytes = expect(withBatch(facts, { ...least, contextTokens, slots })).total;
      if (neededBytes <= availableBytes) return { contextTokens, slots, neededBytes };
    }
    if (contextTokens <= floor) return null;
  }
}
