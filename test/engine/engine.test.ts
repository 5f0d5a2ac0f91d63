import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../src/core/chat.ts';
import { AppError } from '../../src/core/errors.ts';
import { promptUsage } from '../../src/core/usage.ts';
import type { CatalogVariant } from '../../src/store/catalog/catalog.ts';
import type { GgufFacts } from '../../src/store/gguf/gguf.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';
import { settle } from '../support/fake-worker.ts';
import { foldFlat } from '../support/flat-answer.ts';
import { testEngine } from '../support/test-engine.ts';

const facts = {
  architecture: 'llama',
  parameterCount: 1000,
  tensorBytes: 1000,
  trainedContextTokens: 512,
} as GgufFacts;

function variant(quantization: string): CatalogVariant {
  return {
    id: `m:${quantization}`,
    quantization,
    filePath: `/models/m-${quantization}.gguf`,
    files: [`m-${quantization}.gguf`],
    otherNames: [],
    stem: `m-${quantization}`,
    sizeBytes: 2000,
    modifiedAt: new Date(0),
    facts,
    invalidReason: null,
    invalidCode: null,
  };
}

function setup() {
  const { engine, clock, metrics, workers, scans } = testEngine([
    { name: 'm', aliases: ['default'], variants: [variant('q4_0'), variant('q8_0')] },
  ]);
  const ask = (overrides: Partial<ChatRequest> = {}, signal = new AbortController().signal) =>
    engine.stream(
      { model: 'm', input: { type: 'text', prompt: 'x' }, sampling: {}, stop: [], ...overrides },
      anyContext({ signal, requestId: 'req_1' }),
    );
  return { clock, metrics, workers, engine, ask, scans };
}

const startItem = (id: number) => ({
  id,
  event: { type: 'start' as const, responseId: null, model: 'm', usage: promptUsage(3, 0), warnings: [] },
});

describe('a name that was made for a model', () => {
  const preset = { sampling: { temperature: 0 }, stop: ['END'], maxTokens: 7, contextTokens: 256 };
  const setupMade = () =>
    testEngine([{ name: 'm', aliases: ['default'], variants: [variant('q4_0')] }], {}, {}, undefined, { mine: preset });

  it('gives its requests what they leave open, and loads the model as it says', async () => {
    const { engine, workers } = setupMade();
    const request = { model: 'mine', input: { type: 'text' as const, prompt: 'x' }, sampling: { topK: 5 }, stop: [] };
    const answer = foldFlat(engine.stream(request, anyContext()));
    await settle();
    const { id, request: sent } = workers[0]!.running[0]!;
    expect(sent).toMatchObject({ sampling: { temperature: 0, topK: 5 }, stop: ['END'], maxTokens: 7, model: 'm' });
    workers[0]!.answer(id, 'hello');
    expect(await answer).toMatchObject({ model: 'm', text: 'hello' });
    expect((await engine.getModel('m')).loaded?.plan?.contextTokens).toBe(256);
  });

  it('gives the same to what is only counted or shown as tokens', async () => {
    const system = { system: 'You are short.' };
    const { engine, workers } = testEngine(
      [{ name: 'm', aliases: ['default'], variants: [variant('q4_0')] }],
      {},
      {},
      undefined,
      { mine: system },
    );
    const input = {
      type: 'chat' as const,
      messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Hi' }] }],
      tools: [],
      toolChoice: { type: 'auto' as const },
    };
    const request = { model: 'mine', input, sampling: {}, stop: [] };
    for (const what of ['count', 'tokens'] as const) {
      const gone = new AbortController();
      const asked = engine[what](request, { ...anyContext(), signal: gone.signal }).catch(() => {});
      await settle();
      const sent = workers[0]!.received.find((message) => message.type === what);
      expect(sent).toMatchObject({
        request: { input: { messages: [{ role: 'system', content: [{ text: 'You are short.' }] }, { role: 'user' }] } },
      });
      gone.abort();
      workers[0]!.exit({ signal: 'SIGKILL' });
      await asked;
      workers.shift();
    }
  });

  it('adds nothing to requests by the name of the model', async () => {
    const { engine, workers } = setupMade();
    const request = { model: 'm', input: { type: 'text' as const, prompt: 'x' }, sampling: {}, stop: [] };
    const answer = foldFlat(engine.stream(request, anyContext()));
    await settle();
    const { id, request: sent } = workers[0]!.running[0]!;
    expect(sent).toMatchObject({ sampling: {}, stop: [], maxTokens: null });
    workers[0]!.answer(id, 'hello');
    await answer;
  });
});

describe('a request that nobody waits for', () => {
  const request = { model: 'm', input: { type: 'text' as const, prompt: 'x' }, sampling: {}, stop: [] };
  const setupBoth = () => {
    const made = setup();
    const patient = () => foldFlat(made.engine.stream(request, anyContext({ isBackground: true })));
    return { ...made, patient };
  };

  it('is answered where nobody else asks', async () => {
    const { workers, patient } = setupBoth();
    const answer = patient();
    await settle();
    workers[0]!.answer(workers[0]!.running[0]!.id, 'a');
    expect((await answer).text).toBe('a');
  });

  it('gives way to one that somebody waits for, and is made anew when that has ended', async () => {
    const { workers, patient, ask } = setupBoth();
    const answer = patient();
    await settle();
    const first = workers[0]!.running[0]!;
    workers[0]!.step(startItem(first.id), { id: first.id, event: { type: 'text-start', blockId: 0 } });
    workers[0]!.step({ id: first.id, event: { type: 'text-delta', blockId: 0, text: 'half of it' } });
    const wanted = foldFlat(ask());
    await settle();
    expect(workers[0]!.received.some(({ type }) => type === 'cancel')).toBe(true);
    expect(workers[0]!.running).toHaveLength(1);
    workers[0]!.answer(workers[0]!.running[0]!.id, 'wanted');
    expect((await wanted).text).toBe('wanted');
    await settle();
    workers[0]!.answer(workers[0]!.running[0]!.id, 'again');
    expect((await answer).text).toBe('again');
  });

  it('tells its worker that nobody waits', async () => {
    const { workers, patient, ask } = setupBoth();
    const answer = patient();
    await settle();
    expect(workers[0]!.running[0]!.request).toMatchObject({ isBackground: true });
    workers[0]!.answer(workers[0]!.running[0]!.id, 'a');
    await answer;
    const wanted = foldFlat(ask());
    await settle();
    expect(workers[0]!.running[0]!.request).not.toHaveProperty('isBackground');
    workers[0]!.answer(workers[0]!.running[0]!.id, 'b');
    await wanted;
  });

  it('waits while somebody only counts tokens', async () => {
    const { engine, workers, patient } = setupBoth();
    const counted = engine.count(request, anyContext());
    const answer = patient();
    await settle();
    expect(workers[0]!.running).toEqual([]);
    const counting = workers[0]!.received.find(({ type }) => type === 'count') as { id: number };
    workers[0]!.emit({ type: 'counted', id: counting.id, promptTokens: 3 });
    await counted;
    await settle();
    workers[0]!.answer(workers[0]!.running[0]!.id, 'a');
    expect((await answer).text).toBe('a');
  });

  it('is given up by its own signal while it waits', async () => {
    const { engine, ask } = setupBoth();
    const wanted = ask()[Symbol.asyncIterator]();
    const first = wanted.next();
    await settle();
    const gone = new AbortController();
    const context = anyContext({ isBackground: true, signal: gone.signal });
    const ended = expect(foldFlat(engine.stream(request, context))).rejects.toMatchObject({ code: 'shutting_down' });
    await settle();
    gone.abort(new AppError('shutting_down', 'gone'));
    await ended;
    void first;
  });
});

describe('the engine', () => {
  it('loads on demand, answers, and says how long the request waited', async () => {
    const { workers, ask, clock } = setup();
    const answer = foldFlat(ask());
    await settle();
    clock.advance(40);
    workers[0]!.answer(workers[0]!.running[0]!.id, 'hello');
    expect(await answer).toMatchObject({ model: 'm', text: 'hello', reason: 'stop', timings: { queueMs: 0 } });
  });

  it('tries once more on a fresh worker when nothing but the start was shown', async () => {
    const { workers, ask } = setup();
    const events = collect(ask());
    await settle();
    workers[0]!.step(startItem(workers[0]!.running[0]!.id));
    await settle();
    workers[0]!.exit({ signal: 'SIGSEGV' });
    await settle();
    expect(workers).toHaveLength(2);
    workers[1]!.answer(workers[1]!.running[0]!.id, 'second try');
    const types = (await events).map((event) => event.type);
    // One start only: the client cannot tell.
    expect(types).toEqual(['progress', 'start', 'text-start', 'text-delta', 'text-end', 'finish']);
  });

  it('never repeats an answer of which something was shown', async () => {
    const { workers, ask } = setup();
    const events = collect(ask());
    await settle();
    const { id } = workers[0]!.running[0]!;
    workers[0]!.step(
      startItem(id),
      { id, event: { type: 'text-start', blockId: 0 } },
      { id, event: { type: 'text-delta', blockId: 0, text: 'a' } },
    );
    await settle();
    workers[0]!.exit({ signal: 'SIGKILL' });
    await expect(events).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(workers).toHaveLength(1);
  });

  it('gives up after the second crash', async () => {
    const { workers, ask } = setup();
    const events = collect(ask());
    const failed = expect(events).rejects.toMatchObject({ code: 'worker_crashed' });
    for (let crash = 0; crash < 2; crash++) {
      await settle();
      workers[crash]!.exit({ signal: 'SIGSEGV' });
    }
    await failed;
    expect(workers).toHaveLength(2);
  });

  it('cancels what a client that went away had asked for', async () => {
    const { workers, ask } = setup();
    const gone = new AbortController();
    const events = collect(ask({}, gone.signal));
    await settle();
    gone.abort(new AppError('client_closed_request', 'gone'));
    await expect(events).rejects.toMatchObject({ code: 'client_closed_request' });
    expect(workers[0]!.received.at(-1)?.type).toBe('cancel');
  });

  it('does not touch the disk for a model that is loaded', async () => {
    const { workers, ask, scans } = setup();
    const first = foldFlat(ask());
    await settle();
    workers[0]!.answer(workers[0]!.running[0]!.id, 'a');
    await first;
    const before = scans();
    const second = foldFlat(ask({ model: 'default' }));
    await settle();
    workers[0]!.answer(workers[0]!.running[0]!.id, 'b');
    await second;
    expect(scans()).toBe(before);
  });

  it('uses the variant that is loaded when none is named, else the better choice', async () => {
    const { workers, engine, ask } = setup();
    await engine.load('m', { quantization: 'q8_0' });
    const answer = foldFlat(ask());
    await settle();
    expect(workers).toHaveLength(1);
    workers[0]!.answer(workers[0]!.running[0]!.id, 'a');
    await answer;
    expect(await engine.getModel('m')).toMatchObject({
      state: 'loaded',
      quantization: 'q8_0',
      loaded: { residentBytes: 77, slots: 1, activeRequests: 0 },
    });
    await engine.unload('m');
    expect(await engine.getModel('m')).toMatchObject({ state: 'unloaded', quantization: 'q4_0', loaded: null });
  });

  it('refuses new work while it drains, lets running answers end, and ends them at the deadline', async () => {
    const { clock, workers, engine, ask } = setup();
    const first = foldFlat(ask());
    await settle();
    const drained = engine.drain(5_000);
    await expect(foldFlat(ask())).rejects.toMatchObject({ code: 'shutting_down', status: 503 });
    await expect(engine.load('m', {})).rejects.toMatchObject({ code: 'shutting_down' });
    const ended = expect(first).rejects.toMatchObject({ code: 'shutting_down' });
    clock.advance(4_999);
    await settle();
    expect(workers[0]!.running).toHaveLength(1);
    clock.advance(1);
    await ended;
    await drained;
    await engine.close();
    expect(workers[0]!.exited).toBe(true);
  });

  it('tells by what its models were loaded, and loads them so again', async () => {
    const { engine, clock } = setup();
    await engine.load('m', { quantization: 'q8_0', contextTokens: 128, pin: true, force: true });
    clock.advance(5_000);
    const [model] = engine.loaded();
    expect(model).toEqual({
      id: 'm:q8_0',
      wish: { contextTokens: 128, pin: true },
      idleMs: 5_000,
      leftMs: Number.POSITIVE_INFINITY,
    });
    const next = setup();
    await next.engine.restore(model!);
    expect(next.engine.loaded()).toEqual([model]);
    expect(await next.engine.getModel('m')).toMatchObject({
      quantization: 'q8_0',
      loaded: { contextTokens: 128, pinned: true },
    });
    await expect(next.engine.restore({ ...model!, id: 'gone:q4_0' })).rejects.toMatchObject({
      code: 'model_not_found',
    });
  });

  it('tells of one that a request has loaded that nothing was wished', async () => {
    const { engine, workers, ask } = setup();
    const answer = foldFlat(ask());
    await settle();
    workers[0]!.answer(workers[0]!.running[0]!.id, 'a');
    await answer;
    expect(engine.loaded()).toEqual([{ id: 'm:q4_0', wish: {}, idleMs: 0, leftMs: 60_000 }]);
  });
});
