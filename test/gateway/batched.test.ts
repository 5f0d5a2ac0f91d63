import { describe, expect, it } from 'vitest';
import type { Attempt, AttemptEnd } from '../../src/core/attempt.ts';
import {
  anonymous,
  type BatchedCall,
  type BatchedWay,
  type CallContext,
  localRouting,
  noWish,
  type RoutingWish,
} from '../../src/core/call.ts';
import type { ChatRequest } from '../../src/core/chat.ts';
import { AppError } from '../../src/core/errors.ts';
import type { ProviderEvent, StreamEvent } from '../../src/core/events.ts';
import type { Provider } from '../../src/core/provider.ts';
import type { ProviderBatches } from '../../src/core/provider-batch.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { createBatchDoor } from '../../src/gateway/batch-door.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';
import { testBus } from '../support/test-bus.ts';

const request: ChatRequest = { model: 'm', input: { type: 'text', prompt: 'x' }, sampling: {}, stop: [], maxTokens: 7 };
const usage = { ...promptUsage(3, 0), outputTokens: 2, servedTier: 'standard' };
const start: StreamEvent = { type: 'start', responseId: null, model: 'm', usage, warnings: [] };
const word: StreamEvent = { type: 'text-delta', blockId: 0, text: 'Hi' };
const finish: StreamEvent = {
  type: 'finish',
  reason: 'stop',
  rawReason: null,
  stopSequence: null,
  usage,
  timings: { queueMs: null, prefillMs: 1, decodeMs: 1 },
};
const bytes = new TextEncoder().encode('{}');
const config = { ...localRouting, cloudAllowed: true, chains: { both: ['cloud', 'local'] } };
const answer = { status: 200, headers: {}, body: '{}' };

/** Batches that word requests by their model, and read these events. */
function batchesOf(events: readonly ProviderEvent[] = [start, word, finish]): ProviderBatches {
  const none = () => Promise.reject(new Error('it is not asked'));
  return {
    limits: { requests: 10, bytes: 10_000 },
    word: ({ model }) => ({ group: 'g', path: '/v1/messages', headers: {}, hops: [], body: JSON.stringify({ model }) }),
    async *read(_request, given) {
      expect(given).toEqual(answer);
      yield* events;
    },
    submit: none,
    find: none,
    progress: none,
    results: async function* () {},
    cancel: none,
    forget: none,
  };
}

function setup(options: { batches?: ProviderBatches; refuses?: AppError; local?: boolean } = {}) {
  const ended: AttemptEnd[] = [];
  const held: Attempt[] = [];
  const admitted = { mostNanoUsd: 42n, ended: async (end: AttemptEnd) => void ended.push(end) };
  const cloud = scriptedProvider([], { id: 'cloud', ...(options.batches && { batches: options.batches }) });
  const local = scriptedProvider([start, finish], { nameOf: (model) => (model === 'here' ? model : null) });
  const providers = () =>
    new Map<string, Provider>([
      ['local', local],
      ['cloud', cloud],
    ]);
  const books = {
    async admit(attempt: Attempt) {
      if (options.refuses) throw options.refuses;
      held.push(attempt);
      return admitted;
    },
    async resume(attempt: Attempt) {
      held.push(attempt);
      return admitted;
    },
    giveBack: async () => {},
    flush: async () => {},
  };
  const never = { admit: () => Promise.reject(new Error('no guard of single requests is asked')) };
  const gateway = createGateway({ providers, guards: [never], books, clock: manualClock(), bus: testBus().bus });
  const door = createBatchDoor({ providers, routing: () => config, books });
  const word = async (changes: Partial<CallContext> = {}, model = 'm') => {
    const ways: BatchedWay[] = [];
    const batched: BatchedCall = { step: 'word', attemptId: 'pb_1-0', decided: (way) => void ways.push(way) };
    const failure = await gateway
      .stream({ ...request, model }, anyContext({ config, batched, ...changes }))
      .catch((error: AppError) => error.code);
    return { ways, failure };
  };
  const read = (given: Extract<BatchedCall, { step: 'read' }>['answer']) =>
    gateway.stream(
      request,
      anyContext({
        config,
        batched: { step: 'read', attemptId: 'pb_1-0', provider: 'cloud', model: 'm', answer: given },
      }),
    );
  return { ended, held, cloud, local, word, read, door };
}

describe('a request that goes with others', () => {
  it('is worded and its price held, and nobody is asked', async () => {
    const { word, held, ended, cloud, local } = setup({ batches: batchesOf() });
    const { ways, failure } = await word();
    expect(ways).toMatchObject([
      { type: 'worded', provider: 'cloud', model: 'm', request: { body: '{"model":"m"}' }, mostNanoUsd: 42n },
    ]);
    expect(failure).toBe('client_closed_request');
    expect(held).toMatchObject([{ id: 'pb_1-0', isBatched: true, estimate: { outputTokens: 7 } }]);
    expect([ended.length, cloud.asked, local.asked]).toEqual([0, 0, 0]);
  });

  it('goes alone where its provider has no batches, and where it is for this machine', async () => {
    expect((await setup().word()).ways).toEqual([{ type: 'alone' }]);
    expect((await setup({ batches: batchesOf() }).word({}, 'here')).ways).toEqual([{ type: 'alone' }]);
  });

  it('is refused as by itself, and goes alone where another of its chain may do better', async () => {
    const refuses = new AppError('budget_exceeded', 'Too dear.');
    const { word } = setup({ batches: batchesOf(), refuses });
    expect(await word()).toEqual({ ways: [], failure: 'budget_exceeded' });
    expect((await word({ routing: { ...noWish, chain: 'both' } })).ways).toEqual([{ type: 'alone' }]);
    const forbidden = { ...anonymous, mayUseCloud: false };
    expect(await word({ principal: forbidden })).toEqual({ ways: [], failure: 'forbidden' });
  });

  it('is answered by what came of it, in the class of service of batches, and ends its try', async () => {
    const { read, ended, cloud } = setup({ batches: batchesOf() });
    const begun = await read(answer);
    expect(begun).toMatchObject({ providerId: 'cloud', model: 'm', relay: null });
    const events = await collect(begun.events);
    expect(events.at(-1)).toMatchObject({ type: 'finish', usage: { servedTier: 'batch' } });
    expect(ended).toMatchObject([{ outcome: 'answered', usage: { servedTier: 'batch', outputTokens: 2 } }]);
    expect(cloud.asked).toBe(0);
  });

  it('passes as it came where it did, and is understood as one of a batch', async () => {
    const head: ProviderEvent = { type: 'relay-head', status: 200, headers: { 'content-type': 'application/json' } };
    const relay: ProviderEvent = { type: 'relay', bytes, heard: [start, word, finish] };
    const { read, ended } = setup({ batches: batchesOf([head, relay]) });
    const begun = await read(answer);
    expect(Buffer.concat(await collect(begun.relay!.bytes)).toString()).toBe('{}');
    expect(ended).toMatchObject([{ outcome: 'answered', usage: { servedTier: 'batch' } }]);
  });

  it('fails with what came of it, is not asked again, and costs nothing', async () => {
    const { read, ended, cloud } = setup({ batches: batchesOf() });
    const failure = new AppError('upstream_overloaded', 'Too much.');
    await expect(read(failure)).rejects.toBe(failure);
    expect(ended).toMatchObject([{ outcome: 'failed', error: failure }]);
    expect(cloud.asked).toBe(0);
  });
});

describe('the lane of a request of a batch', () => {
  const laneOf = (model: string, wish: Partial<RoutingWish> = {}, batches?: ProviderBatches, mayUseCloud = true) =>
    setup(batches ? { batches } : {}).door.laneOf(model, { ...noWish, ...wish }, { ...anonymous, mayUseCloud });

  it.each([
    ['here', 'here', {}],
    ['a model of a provider with batches', 'm', {}],
    ['a model of this machine that is marked', 'here', { cloud: 'allow' }],
    ['one that must go', 'here', { cloud: 'require', provider: 'cloud' }],
    ['one that must stay', 'm', { cloud: 'never' }],
    ['an unknown chain', 'm', { chain: 'nothing' }],
  ] as const)('of %s', (what, model, wish) => {
    const lanes = {
      here: 'here',
      'a model of a provider with batches': 'away',
      'a model of this machine that is marked': 'either',
      'one that must go': 'away',
      'one that must stay': 'here',
      'an unknown chain': 'here',
    };
    expect(laneOf(model, wish, batchesOf())).toBe(lanes[what]);
  });

  it('is here for a key that sends nothing anywhere, and without batches', () => {
    expect(laneOf('m', {}, batchesOf(), false)).toBe('here');
    expect(laneOf('here', { cloud: 'allow' }, batchesOf(), false)).toBe('here');
    expect(laneOf('m')).toBe('here');
  });
});
