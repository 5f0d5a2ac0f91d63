import { describe, expect, it } from 'vitest';
import type { AdmittedAttempt, Attempt, AttemptEnd, AttemptGuard } from '../../src/core/attempt.ts';
import { type CallContext, localRouting, noWish } from '../../src/core/call.ts';
import type { ChatRequest } from '../../src/core/chat.ts';
import { AppError } from '../../src/core/errors.ts';
import type { ProviderEvent, StreamEvent } from '../../src/core/events.ts';
import type { Provider } from '../../src/core/provider.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const request: ChatRequest = { model: 'm', input: { type: 'text', prompt: 'x' }, sampling: {}, stop: [] };
const start: StreamEvent = { type: 'start', responseId: null, model: 'm1', usage: promptUsage(1, 0), warnings: [] };
const begin: StreamEvent = { type: 'text-start', blockId: 0 };
const word: StreamEvent = { type: 'text-delta', blockId: 0, text: 'Hi' };
const delta: StreamEvent = { type: 'text-delta', blockId: 0, text: 'abcdef' };
const finish: StreamEvent = {
  type: 'finish',
  reason: 'stop',
  rawReason: null,
  stopSequence: null,
  usage: { ...promptUsage(9, 4), outputTokens: 2 },
  timings: { queueMs: null, prefillMs: null, decodeMs: null },
};
const busy = (retryAfterSeconds?: number) =>
  new AppError('upstream_overloaded', 'busy', retryAfterSeconds === undefined ? {} : { retryAfterSeconds });

/** A provider of the cloud that answers each try by the next of these scripts, and by the last from then on. */
function trying(id: string, ...scripts: (ProviderEvent | Error)[][]) {
  const seen: CallContext[] = [];
  const provider = scriptedProvider([], {
    id,
    commitsAt: 'content',
    async *stream(_request, context) {
      const script = scripts[Math.min(seen.length, scripts.length - 1)]!;
      seen.push(context);
      for (const event of script) {
        if (event instanceof Error) throw event;
        yield event;
      }
    },
  });
  return { provider, seen };
}

function setup(providers: Provider[], guards: AttemptGuard[] = []) {
  const clock = manualClock();
  const gateway = createGateway({
    providers: () => new Map(providers.map((one) => [one.id, one])),
    guards,
    clock,
    bus: { publish: () => {} },
    random: () => 1,
  });
  return { gateway, clock };
}

const chained = (ids: string[], changes: Partial<CallContext['config']> = {}): CallContext =>
  anyContext({
    routing: { ...noWish, chain: 'c' },
    config: { ...localRouting, cloudAllowed: true, chains: { c: ids }, ...changes },
  });

/** Lets time pass in small steps until the promise has settled; how much it was, in milliseconds. */
async function waitFor(clock: ManualClock, promise: Promise<unknown>): Promise<number> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  promise.then(done, done);
  const beganMs = clock.monotonicMs();
  for (let step = 0; step < 10_000; step++) {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    if (settled) return clock.monotonicMs() - beganMs;
    clock.advance(10);
  }
  throw new Error('it never settled');
}

describe('trying again', () => {
  it('asks the whole chain first, then those that may do better later, after a wait', async () => {
    const first = trying('first', [busy()], [start, begin, finish]);
    const second = trying('second', [new AppError('upstream_access_denied', 'no')]);
    const { gateway, clock } = setup([first.provider, second.provider]);
    const answer = gateway.stream(request, chained(['first', 'second']));
    expect(await waitFor(clock, answer)).toBe(500);
    expect((await answer).providerId).toBe('first');
    expect([first.seen.length, second.seen.length]).toEqual([2, 1]);
  });

  it('goes on along a chain whose first does not have the model, and never asks that one again', async () => {
    const here = trying('here', [new AppError('model_not_found', 'not here')]);
    const there = trying('there', [busy()], [start, begin, finish]);
    const { gateway, clock } = setup([here.provider, there.provider]);
    const answer = gateway.stream(request, chained(['here', 'there']));
    await waitFor(clock, answer);
    expect((await answer).providerId).toBe('there');
    expect([here.seen.length, there.seen.length]).toEqual([1, 2]);
    await expect(gateway.stream(request, chained(['here']))).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it.each(['model_not_found', 'budget_exceeded', 'not_supported'] as const)(
    'says what is wrong with the request where everybody says %s, and who was tried',
    async (code) => {
      const both = ['first', 'second'].map((id) => trying(id, [new AppError(code, `${id} says no`)]).provider);
      const { gateway } = setup(both);
      await expect(gateway.stream(request, chained(['first', 'second']))).rejects.toMatchObject({
        code,
        message: 'second says no',
        details: { providers_tried: ['first', 'second'], errors: [{ code }, { code }] },
      });
      const other = trying('other', [new AppError('upstream_access_denied', 'no')]).provider;
      const mixed = setup([...both, other]).gateway;
      await expect(mixed.stream(request, chained(['first', 'other']))).rejects.toMatchObject({
        code: 'all_providers_failed',
      });
    },
  );

  it('does not count as a try that a provider rests', async () => {
    const resting = () => new AppError('circuit_open', 'rests');
    const only = trying('only', [busy()], [busy()], [resting()]);
    const { gateway, clock } = setup([only.provider]);
    const answer = gateway.stream(request, chained(['only']));
    await waitFor(clock, answer);
    await expect(answer).rejects.toMatchObject({ message: 'Nobody could answer: only: busy (2 tries)' });
  });

  it('doubles its waits, and stops at the most attempts', async () => {
    const only = trying('only', [busy()]);
    const { gateway, clock } = setup([only.provider]);
    const answer = gateway.stream(request, chained(['only']));
    expect(await waitFor(clock, answer)).toBe(500 + 1_000 + 2_000);
    await expect(answer).rejects.toMatchObject({
      code: 'all_providers_failed',
      message: 'Nobody could answer: only: busy (4 tries)',
    });
    expect(only.seen).toHaveLength(4);
  });

  it('waits as long as a provider asks for, and not at all for one that asks for too much', async () => {
    const patient = trying('patient', [busy(7)], [start, begin, finish]);
    const one = setup([patient.provider]);
    expect(await waitFor(one.clock, one.gateway.stream(request, chained(['patient'])))).toBe(7_000);

    const far = trying('far', [busy(300)]);
    const other = setup([far.provider]);
    const refused = other.gateway.stream(request, chained(['far']));
    expect(await waitFor(other.clock, refused)).toBe(0);
    await expect(refused).rejects.toMatchObject({ code: 'upstream_overloaded', retryAfterSeconds: 300 });
  });

  it('tells of each wait before it begins, and in the failure how long each provider wanted to be left alone', async () => {
    const only = trying('only', [busy(7)]);
    const { gateway, clock } = setup([only.provider]);
    const waits: unknown[] = [];
    const answer = gateway.stream(request, chained(['only']), (progress) => waits.push(progress));
    await waitFor(clock, answer);
    const wait = { type: 'progress', stage: 'retrying', waitMs: 7_000 };
    expect(waits).toEqual([wait, wait, wait]);
    await expect(answer).rejects.toMatchObject({
      details: { errors: Array.from({ length: 4 }, () => expect.objectContaining({ retry_after_seconds: 7 })) },
    });
  });

  it('does not ask again what will not heal', async () => {
    const spent = trying('spent', [new AppError('upstream_quota_exceeded', 'tokens of the day')]);
    const { gateway } = setup([spent.provider]);
    await expect(gateway.stream(request, chained(['spent']))).rejects.toMatchObject({
      code: 'upstream_quota_exceeded',
    });
    expect(spent.seen).toHaveLength(1);
  });

  it('has a budget over all requests, so that an outage does not multiply the load', async () => {
    const down = trying('down', [busy()]);
    const { gateway, clock } = setup([down.provider]);
    for (let number = 0; number < 40; number++) {
      const answer = gateway.stream(request, chained(['down']));
      await waitFor(clock, answer);
      await answer.catch(() => {});
    }
    // 40 requests, ten retries beforehand, and one more for each five requests.
    expect(down.seen.length).toBeGreaterThanOrEqual(40 + 10);
    expect(down.seen.length).toBeLessThanOrEqual(40 + 10 + 8);
  });

  it('does not wait for a retry that the budget does not have', async () => {
    const down = trying('down', [busy(7)]);
    const { gateway, clock } = setup([down.provider]);
    for (let number = 0; number < 20; number++) {
      const tries = down.seen.length;
      const answer = gateway.stream(request, chained(['down']));
      const waitedMs = await waitFor(clock, answer);
      await answer.catch(() => {});
      expect(waitedMs).toBe(7_000 * (down.seen.length - tries - 1));
    }
    expect(down.seen.length).toBeLessThan(20 * 2);
  });

  it('ends at the deadline of the request, whatever a provider does', async () => {
    const silent = scriptedProvider([], {
      id: 'silent',
      commitsAt: 'content',
      async *stream(_request, { signal }) {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('socket closed')));
        });
      },
    });
    const { gateway, clock } = setup([silent]);
    const answer = gateway.stream(request, chained(['silent'], { requestTimeoutMs: 30_000 }));
    expect(await waitFor(clock, answer)).toBe(30_000);
    await expect(answer).rejects.toMatchObject({ code: 'deadline_exceeded', status: 504 });
  });

  it('ends at the deadline of the request here, too, and at the configured one only where it may leave', async () => {
    const local = scriptedProvider([], {
      async *stream(_request, { signal }) {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    const { gateway, clock } = setup([local]);
    const answer = gateway.stream(request, anyContext({ deadlineMs: 4_000 }));
    expect(await waitFor(clock, answer)).toBe(4_000);
    await expect(answer).rejects.toMatchObject({ code: 'deadline_exceeded' });
    const gone = new AbortController();
    const patient = anyContext({ config: { ...localRouting, requestTimeoutMs: 1_000 }, signal: gone.signal });
    const unhurried = gateway.stream(request, patient);
    unhurried.catch(() => {});
    // It has begun by then.
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    clock.advance(60_000);
    gone.abort(new AppError('client_closed_request', 'gone'));
    await expect(unhurried).rejects.toMatchObject({ code: 'client_closed_request' });
  });

  it('does not wait beyond the deadline for another round', async () => {
    const only = trying('only', [busy(10)]);
    const { gateway, clock } = setup([only.provider]);
    const answer = gateway.stream(request, { ...chained(['only']), deadlineMs: 5_000 });
    expect(await waitFor(clock, answer)).toBe(0);
    await expect(answer).rejects.toMatchObject({ code: 'upstream_overloaded' });
  });

  it('leaves this machine for the next target when its queue is longer than the deadline', async () => {
    const local = scriptedProvider([{ type: 'progress', stage: 'queued', place: 3, estimateMs: 9_000 }, start, finish]);
    const cloud = trying('cloud', [start, begin, finish]);
    const { gateway } = setup([local, cloud.provider]);
    const inTime = await gateway.stream(request, { ...chained(['local', 'cloud']), deadlineMs: 10_000 });
    expect(inTime.providerId).toBe('local');
    const late = await gateway.stream(request, { ...chained(['local', 'cloud']), deadlineMs: 5_000 });
    expect(late.providerId).toBe('cloud');
  });

  it('lets an answer through that has begun and has no content for a while, before clients give up', async () => {
    const clock = manualClock();
    const slow = scriptedProvider([], {
      id: 'slow',
      commitsAt: 'content',
      async *stream() {
        yield start;
        await new Promise<void>((resolve) => clock.after(20_000, resolve));
        yield* [begin, delta, finish];
      },
    });
    const gateway = createGateway({
      providers: () => new Map([['slow', slow]]),
      guards: [],
      clock,
      bus: { publish: () => {} },
    });
    const answer = gateway.stream(request, chained(['slow']));
    expect(await waitFor(clock, answer)).toBe(8_000);
    const events = collect((await answer).events);
    await waitFor(clock, events);
    const timings = { queueMs: null, prefillMs: 20_000, decodeMs: 0 };
    expect(await events).toEqual([start, begin, delta, { ...finish, timings }]);
  });
});

describe('guards', () => {
  function guard(refuse: (attempt: Attempt) => AppError | null = () => null) {
    const admitted: Attempt[] = [];
    const ends: AttemptEnd[] = [];
    const subject: AttemptGuard = {
      async admit(attempt): Promise<AdmittedAttempt> {
        const error = refuse(attempt);
        if (error) throw error;
        admitted.push(attempt);
        return { ended: async (end) => void ends.push(end) };
      },
    };
    return { subject, admitted, ends };
  }

  it('hear of every try what it may take, and how it went', async () => {
    const one = guard();
    const first = trying('first', [start, new AppError('upstream_unavailable', 'reset')]);
    const second = trying('second', [start, begin, delta, finish]);
    const { gateway, clock } = setup([first.provider, second.provider], [one.subject]);
    const asked = { ...request, input: { type: 'text', prompt: 'abcdefgh' } as const, maxTokens: 50 };
    const answer = await gateway.stream(asked, chained(['first', 'second']));
    clock.advance(40);
    await collect(answer.events);
    expect(one.admitted).toMatchObject([
      { model: 'm', operation: 'generate', index: 0, estimate: { promptTokens: 20, outputTokens: 50 } },
      { model: 'm', operation: 'generate', index: 1, estimate: { promptTokens: 20, outputTokens: 50 } },
    ]);
    expect(one.admitted.map(({ provider }) => provider.id)).toEqual(['first', 'second']);
    expect(one.ends).toMatchObject([
      { outcome: 'failed', error: { code: 'upstream_unavailable' }, firstContentMs: null },
      { outcome: 'answered', error: null, usage: finish.usage, seenOutputTokens: 2, answeredModel: 'm1' },
    ]);
  });

  it('that refuse move on to the next target, and those before them hear that nothing was asked', async () => {
    const before = guard();
    const refusing = guard(({ provider }) =>
      provider.id === 'first' ? new AppError('budget_exceeded', 'the budget is used up') : null,
    );
    const first = trying('first', [start, begin, finish]);
    const second = trying('second', [start, begin, word, finish]);
    const { gateway } = setup([first.provider, second.provider], [before.subject, refusing.subject]);
    const answer = await gateway.stream(request, chained(['first', 'second']));
    expect(answer.providerId).toBe('second');
    expect(first.seen).toHaveLength(0);
    expect(before.ends).toMatchObject([{ outcome: 'not-asked', error: { code: 'budget_exceeded' } }]);
    await answer.events.return?.();
    expect(before.ends[1]).toMatchObject({ outcome: 'cancelled' });
    expect(refusing.ends).toMatchObject([{ outcome: 'cancelled' }]);
  });

  it('hear of an answer that goes on at its provider that it may be as long as it may, since nobody tells', async () => {
    const one = guard();
    const paused = { ...finish, reason: 'paused' as const };
    const pending = { ...paused, usage: { ...promptUsage(9, 4), outputTokens: null } };
    for (const [last, tokens] of [
      [pending, 700],
      [paused, 0],
    ] as const) {
      const { gateway } = setup([trying('far', [start, last]).provider], [one.subject]);
      const { events } = await gateway.stream({ ...request, maxTokens: 700 }, chained(['far']));
      await collect(events);
      expect(one.ends.at(-1)).toMatchObject({ outcome: 'answered', seenOutputTokens: tokens });
    }
  });

  it('hear how much of what was seen was reasoning', async () => {
    const one = guard();
    const thought: StreamEvent[] = [
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'x'.repeat(300) },
    ];
    const { gateway } = setup([trying('far', [start, ...thought, begin, delta, finish]).provider], [one.subject]);
    const { events } = await gateway.stream(request, chained(['far']));
    await collect(events);
    const { seenOutputTokens, seenReasoningTokens } = one.ends.at(-1)!;
    expect(seenReasoningTokens).toBeGreaterThan(50);
    expect(seenOutputTokens - seenReasoningTokens).toBe(2);
  });

  it('hear once of each try, also where the client goes in the middle', async () => {
    const one = guard();
    const gone = new AbortController();
    const provider = scriptedProvider([], {
      id: 'cloud',
      commitsAt: 'content',
      async *stream(_request, { signal }) {
        yield* [start, begin, delta];
        gone.abort(new AppError('client_closed_request', 'gone'));
        throw signal.reason;
      },
    });
    const { gateway } = setup([provider], [one.subject]);
    const answer = await gateway.stream(request, { ...chained(['cloud']), signal: gone.signal });
    await expect(collect(answer.events)).rejects.toMatchObject({ code: 'client_closed_request' });
    await answer.events.return?.();
    expect(one.ends).toMatchObject([{ outcome: 'cancelled', seenOutputTokens: 2, usage: start.usage }]);
  });
});

describe('a request that only passes as it came', () => {
  it('is refused where nobody takes it any more, and asks nobody', async () => {
    const cloud = trying('cloud', [start, begin, finish]);
    const { gateway } = setup([cloud.provider]);
    const original = { dialect: 'openai', path: '/v1/x', bytes: new Uint8Array(), body: {}, headers: {} } as const;
    const asked = gateway.stream({ ...request, original, onlyRelayed: true }, chained(['cloud']));
    await expect(asked).rejects.toMatchObject({ code: 'not_supported' });
    expect(cloud.seen).toHaveLength(0);
  });
});
