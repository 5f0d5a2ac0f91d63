import type { GgufFacts } from '../gguf.ts';
import { type ExpectedBytes, expectBytes, type LoadShape, repacks } from './expect.ts';

/** Settings with which a model fits. */
export interface LoadPlan {
  type: 'plan';
  /** Per slot; a multiple of 256 unless the model was trained with less. */
  contextTokens: number;
  slots: number;
  batchTokens: number;
  useMmap: boolean;
  expectedBytes: ExpectedBytes;
  /** What was changed against wish or default, one sentence each. */
  notes: string[];
}

/** A model that does not fit, with the numbers. */
export interface Refusal {
  type: 'refusal';
  /** With the least settings that the wish allows. */
  neededBytes: number;
  availableBytes: number;
  shortfallBytes: number;
  /** Settings that would fit although they are not what was wished; null when none do. */
  nearest: { contextTokens: number; slots: number; neededBytes: number } | null;
  /** A sentence with the numbers and, where there is one, the way out. */
  message: string;
}

export interface PlanInput {
  facts: GgufFacts;
  /** What was asked for; it is kept or refused, never quietly reduced, except to what the model was trained with. */
  wish: { contextTokens?: number; slots?: number };
  budget: {
    /** Free for this load. */
    availableBytes: number;
    /** Of server and models in all; decides the default number of slots. */
    totalBytes: number;
  };
}

const defaultContextTokens = 8_192;
/** The ladder goes no lower by itself: with less, chats with a system prompt and tools stop working. */
const leastContextTokens = 2_048;
const contextStepTokens = 256;
const batchSteps = [512, 256, 128];
const gib = 2 ** 30;

/**
 * Decides whether a model fits and with which settings. Takes the first that fits of: all as wished or by default;
 * fewer slots; a smaller context, halved each time; a smaller batch. Pure; never throws.
 */
export function planLoad({ facts, wish, budget }: PlanInput): LoadPlan | Refusal {
  const trained = facts.trainedContextTokens ?? Number.POSITIVE_INFINITY;
  const start: LoadShape = {
    contextTokens: roundContext(wish.contextTokens ?? Math.min(trained, defaultContextTokens), trained),
    slots: wish.slots ?? defaultSlots(budget.totalBytes),
    batchTokens: batchSteps[0]!,
    useMmap: !repacks(facts),
  };
  const shapes = ladder(start, wish, trained).map((shape) => withBatch(facts, shape));
  for (const shape of shapes) {
    const expectedBytes = expectBytes(facts, shape);
    if (expectedBytes.total > budget.availableBytes) continue;
    return { type: 'plan', ...shape, expectedBytes, notes: describeChanges(start, shape, wish, trained) };
  }
  return refuse(facts, shapes.at(-1)!, trained, budget.availableBytes);
}

/** Every shape in the order in which it is tried; each differs from the one before in one step. */
function ladder(start: LoadShape, wish: PlanInput['wish'], trained: number): LoadShape[] {
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

function describeChanges(start: LoadShape, shape: LoadShape, wish: PlanInput['wish'], trained: number): string[] {
  const notes: string[] = [];
  if (wish.contextTokens !== undefined && wish.contextTokens > trained) {
    notes.push(`context reduced from ${wish.contextTokens} to the ${trained} tokens that the model was trained with`);
  }
  if (shape.slots < start.slots) notes.push(`slots reduced from ${start.slots} to ${shape.slots} to fit the memory`);
  if (shape.contextTokens < start.contextTokens) {
    notes.push(`context reduced from ${start.contextTokens} to ${shape.contextTokens} tokens to fit the memory`);
  }
  if (shape.batchTokens < Math.min(start.batchTokens, shape.contextTokens)) {
    notes.push(`batch reduced from ${start.batchTokens} to ${shape.batchTokens} tokens to fit the memory`);
  }
  return notes;
}

/** `least`: the smallest shape that the wish allows. */
function refuse(facts: GgufFacts, least: LoadShape, trained: number, availableBytes: number): Refusal {
  const neededBytes = expectBytes(facts, least).total;
  const nearest = findNearest(facts, least, trained, availableBytes);
  const way = nearest
    ? `; it would fit with ${nearest.slots} ${nearest.slots === 1 ? 'slot' : 'slots'} of ${nearest.contextTokens} tokens`
    : '; choose a smaller model or quantization, or free memory';
  return {
    type: 'refusal',
    neededBytes,
    availableBytes,
    shortfallBytes: neededBytes - availableBytes,
    nearest,
    message: `needs ${formatBytes(neededBytes)}, ${formatBytes(availableBytes)} are available${way}.`,
  };
}

/** The largest context, then the most slots, below what was asked for that fit. */
function findNearest(facts: GgufFacts, least: LoadShape, trained: number, availableBytes: number): Refusal['nearest'] {
  const floor = Math.min(contextStepTokens, trained);
  for (
    let contextTokens = least.contextTokens;
    ;
    contextTokens = roundContext(Math.floor(contextTokens / 2), trained)
  ) {
    for (let slots = least.slots; slots >= 1; slots--) {
      const neededBytes = expectBytes(facts, withBatch(facts, { ...least, contextTokens, slots })).total;
      if (neededBytes <= availableBytes) return { contextTokens, slots, neededBytes };
    }
    if (contextTokens <= floor) return null;
  }
}

/** Decimal units, as memory is sold and shown. */
function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
