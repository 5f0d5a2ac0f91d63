import { describe, expect, it } from 'vitest';
import type { AttemptEnd, AttemptGuard } from '../../src/core/attempt.ts';
import { anonymous, type CallContext, localRouting, noWish } from '../../src/core/call.ts';
import type { ChatRequest } from '../../src/core/chat.ts';
import { AppError } from '../../src/core/errors.ts';
import type { Progress, StreamEvent } from '../../src/core/events.ts';
import { flowOf } from '../../src/core/flow.ts';
import type { Provider } from '../../src/core/provider.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { likelyPrompt } from '../../src/gateway/estimate.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { createInboundLimits } from '../../src/gateway/inbound-limits.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const request: ChatRequest = { model: 'm', input: { type: 'text', prompt: 'x' }, sampling: {}, stop: [] };
const start: StreamEvent = {
  type: 'start',
  responseId: null,
  model: 'real-name',
  usage: promptUsage(1, 0),
  warnings: [],
};
const begin: StreamEvent = { type: 'text-start', blockId: 0 };
const word: StreamEvent = { type: 'text-delta', blockId: 0, text: 'Hi' };
const delta: StreamEvent = { type: 'text-delta', blockId: 0, text: 'a' };
const finish: StreamEvent = {
  type: 'finish',
  reason: 'stop_sequence',
  rawReason: null,
  stopSequence: '.',
  usage: { ...promptUsage(9, 4), outputTokens: 2 },
  timings: { queueMs: 1, prefillMs: 1, decodeMs: 1 },
};
const full = new AppError('queue_full', 'full', { retryAfterSeconds: 3 });

function setup(...providers: Provider[]) {
  return setupGuarded([], ...providers);
}

function setupGuarded(guards: AttemptGuard[], ...providers: Provider[]) {
  const events: AppEvent[] = [];
  const clock = manualClock();
  const bus = { publish: (event: AppEvent) => void events.push(event) };
  const gateway = createGateway({
    providers: () => new Map(providers.map((one) => [one.id, one])),
    guards,
    clock,
    bus,
    random: () => 0.5,
  });
  return { gateway, events, clock };
}

/** A request that may go through the chain of these providers. */
const chained = (...ids: string[]): CallContext =>
  anyContext({
    routing: { ...noWish, chain: 'c' },
    config: { ...localRouting, cloudAllowed: true, chains: { c: ids } },
  });

describe('the gateway', () => {
  it('waits for the start, tells who answers, and gives every event from the start on', async () => {
    const { gateway } = setup(scriptedProvider([{ type: 'progress', stage: 'loading' }, start, delta, finish]));
    const seen: Progress[] = [];
    const answer = await gateway.stream(request, anyContext(), (progress) => seen.push(progress));
    expect(answer).toMatchObject({ providerId: 'local', model: 'real-name' });
    expect(await collect(answer.events)).toEqual([start, delta, finish]);
    expect(seen).toEqual([{ type: 'progress', stage: 'loading' }]);
  });

  it('rejects while the status line is free when the provider fails before its start', async () => {
    const provider = scriptedProvider([{ type: 'progress', stage: 'queued', place: 1, estimateMs: null }, full]);
    const { gateway } = setup(provider);
    await expect(gateway.stream(request, anyContext())).rejects.toMatchObject({
      code: 'queue_full',
      retryAfterSeconds: 3,
    });
    expect(provider.returned).toBe(1);
  });

  it('throws from the events what fails after the start, as an error of the catalogue', async () => {
    const { gateway } = setup(scriptedProvider([start, delta, new Error('native secret')]));
    const { events } = await gateway.stream(request, anyContext());
    const failed = collect(events);
    await expect(failed).rejects.toBeInstanceOf(AppError);
    await expect(failed).rejects.not.toThrow(/native secret/);
  });

  it('takes no answer for whole that its provider ended without a finish', async () => {
    const { gateway, events } = setup(scriptedProvider([start, begin]));
    const answer = await gateway.stream(request, anyContext());
    await expect(collect(answer.events)).rejects.toMatchObject({ code: 'internal_error' });
    expect(events.at(-1)).toMatchObject({ type: 'request-ended', outcome: 'internal_error', provider: 'local' });
  });

  it('ends the try of an answer without a finish as failed', async () => {
    const ended: AttemptEnd[] = [];
    const guard: AttemptGuard = { admit: async () => ({ ended: async (end) => void ended.push(end) }) };
    const { gateway } = setupGuarded([guard], scriptedProvider([start, begin]));
    const answer = await gateway.stream(request, anyContext());
    await expect(collect(answer.events)).rejects.toMatchObject({ code: 'internal_error' });
    expect(ended.map(({ outcome }) => outcome)).toEqual(['failed']);
  });

  it('releases the provider when the answer is given up, before or after the first event was read', async () => {
    const unread = scriptedProvider([start, delta, delta]);
    await (await setup(unread).gateway.stream(request, anyContext())).events.return?.();
    expect(unread.returned).toBe(1);

    const read = scriptedProvider([start, delta, delta]);
    for await (const _event of (await setup(read).gateway.stream(request, anyContext())).events) break;
    expect(read.returned).toBe(1);
  });

  it('measures where the time went of an answer whose provider does not tell, and leaves what one tells', async () => {
    const clockOf: { advance?: (ms: number) => void } = {};
    const slow = (timings: Extract<StreamEvent, { type: 'finish' }>['timings']) =>
      scriptedProvider([], {
        async *stream() {
          yield start;
          clockOf.advance?.(300);
          yield delta;
          clockOf.advance?.(50);
          yield { ...finish, timings };
        },
      });
    const timingsOf = async (timings: Extract<StreamEvent, { type: 'finish' }>['timings']) => {
      const { gateway, clock } = setup(slow(timings));
      clockOf.advance = clock.advance;
      const { events } = await gateway.stream(request, anyContext());
      return (await collect(events)).at(-1);
    };
    const unknown = { queueMs: null, prefillMs: null, decodeMs: null };
    expect(await timingsOf(unknown)).toMatchObject({ timings: { queueMs: null, prefillMs: 300, decodeMs: 50 } });
    const told = { queueMs: 1, prefillMs: 2, decodeMs: 3 };
    expect(await timingsOf(told)).toMatchObject({ timings: told });
  });

  describe('of a count', () => {
    const none = (field?: string) => new AppError('not_supported', 'no', field === undefined ? {} : { field });
    const counting = (id: string, count: Provider['count']) => scriptedProvider([], { id, count });
    const failing = (id: string, error: AppError) =>
      counting(id, async () => {
        throw error;
      });

    it('is an estimate, and says so, where the provider that would answer counts nothing', async () => {
      const exact = counting('exact', async ({ model }) => ({ model, promptTokens: 5 }));
      for (const error of [none(), none('model')]) {
        const { gateway } = setup(failing('cloud', error), exact);
        const long = { ...request, input: { type: 'text' as const, prompt: 'x'.repeat(300) } };
        const counted = await gateway.count(long, chained('cloud', 'exact'));
        expect(counted).toMatchObject({ providerId: 'cloud', promptTokens: likelyPrompt(long), isEstimated: true });
      }
      const { gateway } = setup(exact);
      expect(await gateway.count(request, chained('exact'))).not.toHaveProperty('isEstimated');
    });

    it.each([
      ['what it refuses otherwise', 'cloud', none('input.messages.0')],
      ['a failure', 'cloud', new AppError('upstream_access_denied', 'no')],
      ['what this machine cannot count', 'local', none('model')],
    ])('is none for %s', async (_title, id, error) => {
      const { gateway } = setup(failing(id, error));
      await expect(gateway.count(request, chained(id))).rejects.toMatchObject({ code: error.code });
    });
  });

  describe('of an answer that its provider relays', () => {
    const head = { type: 'relay-head', status: 200, headers: { 'content-type': 'text/event-stream' } } as const;
    const piece = (text: string) => ({ type: 'relay', bytes: Buffer.from(text) }) as const;
    const pieces = [head, piece('a'), start, piece('b'), begin, delta, piece('c'), finish];

    it('gives the head and every byte in order, those before the first content too', async () => {
      const { gateway } = setup(scriptedProvider(pieces, { id: 'local', commitsAt: 'content' }));
      const { relay } = await gateway.stream(request, anyContext());
      expect(relay).toMatchObject({ status: 200, headers: { 'content-type': 'text/event-stream' } });
      expect(Buffer.concat(await collect(relay!.bytes)).toString()).toBe('abc');
    });

    it('counts what was understood of it', async () => {
      const { gateway, events } = setup(scriptedProvider(pieces));
      const { relay } = await gateway.stream(request, anyContext());
      await collect(relay!.bytes);
      expect(events.at(-1)).toMatchObject({ type: 'request-ended', outcome: 'stop', usage: finish.usage });
    });

    it('pushes every byte to whoever wants that, and counts what was understood', async () => {
      const { gateway, events } = setup(scriptedProvider(pieces, { id: 'local', commitsAt: 'content' }));
      const { relay } = await gateway.stream(request, anyContext());
      const seen: Uint8Array[] = [];
      await flowOf(relay!.bytes).each((bytes) => void seen.push(bytes));
      expect(Buffer.concat(seen).toString()).toBe('abc');
      expect(events.at(-1)).toMatchObject({ type: 'request-ended', outcome: 'stop', usage: finish.usage });
    });

    it('gives the events without the bytes to whoever words it anew', async () => {
      const { gateway } = setup(scriptedProvider(pieces));
      const { events } = await gateway.stream(request, anyContext());
      expect(await collect(events)).toEqual([start, begin, delta, finish]);
    });

    it('lets the provider go when the bytes are given up', async () => {
      const provider = scriptedProvider(pieces);
      const { gateway } = setup(provider);
      const { relay } = await gateway.stream(request, anyContext());
      await relay!.bytes.return?.();
      expect(provider.returned).toBe(1);
    });
  });

  it('refuses a provider that does not begin with a start, and releases it', async () => {
    const provider = scriptedProvider([delta, delta]);
    const { gateway } = setup(provider);
    await expect(gateway.stream(request, anyContext())).rejects.toMatchObject({ code: 'internal_error' });
    expect(provider.returned).toBe(1);
  });

  it('hands requests for vectors, scores and counts to the provider, and says who answered', async () => {
    const context = anyContext();
    const seen: unknown[] = [];
    const { gateway } = setup(
      scriptedProvider([], {
        async embed(...call) {
          seen.push(...call);
          return { model: 'full-name', vectors: [[1]], promptTokens: 3, queueMs: 0 };
        },
        async rank(...call) {
          seen.push(...call);
          return { model: 'full-name', scores: [0.5], promptTokens: 4, queueMs: 0 };
        },
        count: async () => ({ model: 'full-name', promptTokens: 5 }),
      }),
    );
    const embedding = { model: 'm', inputs: ['a'] };
    const ranking = { model: 'm', query: 'q', documents: ['a'] };
    const base = { providerId: 'local', model: 'full-name', costNanoUsd: null };
    expect(await gateway.embed(embedding, context)).toEqual({ ...base, vectors: [[1]], promptTokens: 3, queueMs: 0 });
    expect(await gateway.rank(ranking, context)).toEqual({ ...base, scores: [0.5], promptTokens: 4, queueMs: 0 });
    expect(await gateway.count(request, context)).toEqual({ ...base, promptTokens: 5 });
    expect(seen).toEqual([embedding, context, ranking, context]);
  });

  it('says so when the provider has no embeddings or no reranking', async () => {
    const { gateway } = setup(scriptedProvider([]));
    const refused = { code: 'not_supported', field: 'model' };
    await expect(gateway.embed({ model: 'm', inputs: ['a'] }, anyContext())).rejects.toMatchObject(refused);
    await expect(gateway.rank({ model: 'm', query: 'q', documents: ['a'] }, anyContext())).rejects.toMatchObject(
      refused,
    );
  });

  it('lists the models of all providers, and rejects only when none can tell', async () => {
    const all = { cloud: true };
    const info = { id: 'm' } as Awaited<ReturnType<Provider['models']>>[number];
    const good = scriptedProvider([], { models: async () => [info] });
    const bad = (id: string) => scriptedProvider([], { id, models: () => Promise.reject(new Error('down')) });
    const { signal } = new AbortController();
    expect(await setup(good, bad('cloud')).gateway.models(signal, all)).toEqual([info]);
    await expect(setup(bad('local'), bad('cloud')).gateway.models(signal, all)).rejects.toBeInstanceOf(AppError);
  });
});

describe('failing over', () => {
  it('asks the next of a chain when one cannot, and nobody after a success', async () => {
    const first = scriptedProvider([full]);
    const second = scriptedProvider([start, begin, finish], { id: 'second' });
    const third = scriptedProvider([start], { id: 'third' });
    const { gateway } = setup(first, second, third);
    const answer = await gateway.stream(request, chained('local', 'second', 'third'));
    expect(answer.providerId).toBe('second');
    expect([first.asked, second.asked, third.asked]).toEqual([1, 1, 0]);
    await answer.events.return?.();
  });

  it('ends with the first error that another provider would give too', async () => {
    const first = scriptedProvider([new AppError('invalid_request', 'wrong')]);
    const second = scriptedProvider([start], { id: 'second' });
    const { gateway } = setup(first, second);
    await expect(gateway.stream(request, chained('local', 'second'))).rejects.toMatchObject({
      code: 'invalid_request',
    });
    expect(second.asked).toBe(0);
  });

  it('lists the failures of all when all fail', async () => {
    const { gateway } = setup(
      scriptedProvider([full]),
      scriptedProvider([new AppError('upstream_access_denied', 'no key')], { id: 'second' }),
    );
    await expect(gateway.stream(request, chained('local', 'second'))).rejects.toMatchObject({
      code: 'all_providers_failed',
      status: 503,
      retryable: false,
      message: 'Nobody could answer: local: full second: no key',
      details: {
        providers_tried: ['local', 'second'],
        errors: [
          { provider: 'local', model: 'm', code: 'queue_full', message: 'full' },
          { provider: 'second', model: 'm', code: 'upstream_access_denied', message: 'no key' },
        ],
      },
    });
  });

  it('leaves a provider that fails between its start and its first content, where that is its rule', async () => {
    const broken = new AppError('upstream_unavailable', 'gone');
    const cloud = scriptedProvider([start, broken], { id: 'cloud', commitsAt: 'content' });
    const second = scriptedProvider([start, begin, finish], { id: 'second', commitsAt: 'content' });
    const { gateway } = setup(cloud, second);
    const answer = await gateway.stream(request, chained('cloud', 'second'));
    expect(answer.providerId).toBe('second');
    expect(await collect(answer.events)).toEqual([start, begin, finish]);
    expect(cloud.returned).toBe(1);
  });

  it('stays with a provider once it has given content, and with a local one once it has started', async () => {
    const broken = new AppError('upstream_unavailable', 'gone');
    const cloud = scriptedProvider([start, begin, word, broken], { id: 'cloud', commitsAt: 'content' });
    const second = scriptedProvider([start], { id: 'second' });
    const { gateway } = setup(cloud, second);
    const answer = await gateway.stream(request, chained('cloud', 'second'));
    await expect(collect(answer.events)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    const local = scriptedProvider([start, new AppError('worker_crashed', 'gone')]);
    const other = setup(local, second);
    const begun = await other.gateway.stream(request, chained('local', 'second'));
    await expect(collect(begun.events)).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(second.asked).toBe(0);
  });

  it.each<StreamEvent>([begin, { type: 'reasoning-start', blockId: 0 }])(
    'moves on where a block has only been opened, which says nothing yet: $type',
    async (opened) => {
      const broken = new AppError('upstream_unavailable', 'gone');
      const cloud = scriptedProvider([start, opened, broken], { id: 'cloud', commitsAt: 'content' });
      const second = scriptedProvider([start], { id: 'second' });
      const { gateway } = setup(cloud, second);
      const answer = await gateway.stream(request, chained('cloud', 'second'));
      expect(answer.providerId).toBe('second');
      await answer.events.return?.();
      expect(cloud.returned).toBe(1);
    },
  );

  it('asks nobody else when the client is gone', async () => {
    const gone = new AbortController();
    const first = scriptedProvider([full], {
      // biome-ignore lint/correctness/useYield: it only fails
      async *stream() {
        gone.abort();
        throw full;
      },
    });
    const second = scriptedProvider([start], { id: 'second' });
    const { gateway } = setup(first, second);
    const context = { ...chained('local', 'second'), signal: gone.signal };
    await expect(gateway.stream(request, context)).rejects.toMatchObject({ code: 'queue_full' });
    expect(second.asked).toBe(0);
  });
});

describe('what the bus is told of a request', () => {
  const ended = (events: AppEvent[]) => events.filter(({ type }) => type === 'request-ended');

  it('is its begin, its first content and its end, in times of its own', async () => {
    const { gateway, events, clock } = setup(scriptedProvider([start, begin, delta, finish]));
    const answer = await gateway.stream(request, anyContext({ requestId: 'req_7' }));
    await answer.events.next();
    clock.advance(250);
    for await (const _event of answer.events) clock.advance(100);
    const common = { requestId: 'req_7', provider: 'local', model: 'real-name' };
    expect(events).toEqual([
      { type: 'request-began', requestId: 'req_7' },
      { type: 'request-first-token', ...common, latencyMs: 250 },
      {
        type: 'request-ended',
        ...common,
        operation: 'generate',
        outcome: 'stop',
        usage: { ...promptUsage(9, 4), outputTokens: 2 },
        serviceMs: 450,
      },
    ]);
  });

  it('is one end, whichever way it ends', async () => {
    const failing = setup(scriptedProvider([start, begin, new AppError('worker_crashed', 'gone')]));
    await collect((await failing.gateway.stream(request, anyContext())).events).catch(() => {});
    expect(ended(failing.events)).toMatchObject([
      // What was read of the prompt was read, and may have been billed.
      { outcome: 'worker_crashed', provider: 'local', model: 'real-name', usage: promptUsage(1, 0) },
    ]);

    const refused = setup(scriptedProvider([full]));
    await refused.gateway.stream(request, anyContext()).catch(() => {});
    expect(ended(refused.events)).toMatchObject([
      { outcome: 'queue_full', provider: 'local', model: 'm', serviceMs: null },
    ]);

    const unknown = setup(scriptedProvider([new AppError('model_not_found', 'none')], { nameOf: () => null }));
    await unknown.gateway.stream(request, anyContext()).catch(() => {});
    expect(ended(unknown.events)).toMatchObject([{ outcome: 'model_not_found', model: 'unknown' }]);

    const left = setup(scriptedProvider([start, begin, delta]));
    const { events } = await left.gateway.stream(request, anyContext());
    await events.next();
    await events.return?.();
    expect(ended(left.events)).toMatchObject([{ outcome: 'cancelled', usage: promptUsage(1, 0) }]);

    const gone = setup(scriptedProvider([start, new AppError('client_closed_request', 'gone')]));
    await collect((await gone.gateway.stream(request, anyContext())).events).catch(() => {});
    expect(ended(gone.events)).toMatchObject([{ outcome: 'cancelled' }]);
  });

  it('has the time of the slot, not of the queue, for an answer that comes whole', async () => {
    const { gateway, events, clock } = setup(
      scriptedProvider([], {
        async embed() {
          clock.advance(300);
          return { model: 'e', vectors: [], promptTokens: 3, queueMs: 100 };
        },
      }),
    );
    await gateway.embed({ model: 'm', inputs: [] }, anyContext());
    expect(ended(events)).toMatchObject([{ operation: 'embed', outcome: 'stop', model: 'e', serviceMs: 200 }]);
  });
});

describe('limits of who asks', () => {
  const perKey = { requestsPerMinute: 3, tokensPerMinute: 10_000, requestsPerDay: null };
  const none = { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null };
  const anna = { ...anonymous, id: 'anna' };

  function limited(...events: Parameters<typeof scriptedProvider>[0]) {
    const clock = manualClock();
    const inbound = createInboundLimits({ clock, limits: () => ({ perKey, perAddress: none }) });
    const provider = scriptedProvider(events);
    const providers = () => new Map([[provider.id, provider]]);
    const gateway = createGateway({ providers, guards: [], inbound, clock, bus: { publish: () => {} } });
    const left = () => inbound.status(anna)!;
    return { gateway, left };
  }
  const context = anyContext({ principal: anna });

  it('hold what a request may take until it has ended, and then what it took', async () => {
    const { gateway, left } = limited(start, begin, delta, finish);
    const answer = await gateway.stream({ ...request, maxTokens: 500 }, context);
    expect(left().tokensPerMinute!.remaining).toBe(9_483);
    await collect(answer.events);
    expect(left()).toMatchObject({ requestsPerMinute: { remaining: 2 }, tokensPerMinute: { remaining: 10_000 - 11 } });
  });

  it('count of an answer that its client left what was seen of it', async () => {
    const { gateway, left } = limited(start, begin, { ...delta, text: 'a'.repeat(30) }, finish);
    const { events } = await gateway.stream(request, context);
    for (let number = 0; number < 3; number++) await events.next();
    await events.return?.();
    expect(left().tokensPerMinute!.remaining).toBe(10_000 - 1 - 10);
  });

  it('count no tokens of one that failed before it had begun', async () => {
    const { gateway, left } = limited(full);
    await expect(gateway.stream(request, context)).rejects.toMatchObject({ code: 'queue_full' });
    expect(left()).toMatchObject({ requestsPerMinute: { remaining: 2 }, tokensPerMinute: { remaining: 10_000 } });
  });

  it('refuse every operation once they are reached, and nobody is asked', async () => {
    const { gateway } = limited(start, begin, delta, finish);
    for (let number = 0; number < 3; number++) await gateway.count(request, context).catch(() => {});
    const asks = [
      () => gateway.stream(request, context),
      () => gateway.embed({ model: 'm', inputs: ['x'] }, context),
      () => gateway.count(request, context),
    ];
    for (const ask of asks) await expect(ask()).rejects.toMatchObject({ code: 'rate_limited' });
  });
});
