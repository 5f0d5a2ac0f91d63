import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { type EndReason, startWorker } from '../../../src/engine/residents/model-worker.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import {
  anyRequest,
  type FakeWorker,
  type FakeWorkerBehaviour,
  fakeWorker,
  settle,
} from '../../support/fake-worker.ts';
import { manualClock } from '../../support/manual-clock.ts';

function setup(behaviour: FakeWorkerBehaviour = {}, threadTime?: Parameters<typeof startWorker>[0]['threadTime']) {
  const clock = manualClock();
  const worker: FakeWorker = fakeWorker(behaviour);
  const ends: EndReason[] = [];
  const starting = startWorker({
    worker,
    options: {
      purpose: 'generate',
      model: 'm',
      modelPath: 'm.gguf',
      contextTokens: 512,
      slots: 2,
      batchTokens: 128,
      useMmap: true,
      kvType: 'f16',
      vault: null,
      flashAttention: true,
      maxThreads: 2,
      threads: 2,
      libuvThreads: 1,
      drafts: true,
      gpu: null,
    },
    loadTimeoutMs: 60_000,
    ...(threadTime && { threadTime }),
    clock,
    log: createLogger('silent'),
    onStep: () => {},
  });
  void starting.then(
    ({ ended }) => ended.then((reason) => ends.push(reason)),
    () => {},
  );
  return { clock, worker, ends, starting };
}

const generate = (model: Awaited<ReturnType<typeof startWorker>>) =>
  model
    .generate(anyRequest, new AbortController().signal, { onToken: () => {}, onSettled: () => {} })
    [Symbol.asyncIterator]()
    .next();

describe('the worker of a model', () => {
  it('is ready when its worker says so', async () => {
    const { worker, starting } = setup();
    const model = await starting;
    expect(model.ready).toMatchObject({ contextTokens: 512, slots: 2 });
    expect(worker.received[0]).toMatchObject({ type: 'load', options: { modelPath: 'm.gguf' } });
  });

  it('fails to start with the worker’s own error, and leaves no process', async () => {
    const { worker, starting, ends } = setup({ readyAtOnce: false });
    worker.emit({ type: 'load-failed', error: new AppError('invalid_model_file', 'bad template').toWire() });
    await expect(starting).rejects.toMatchObject({ code: 'invalid_model_file', message: 'bad template' });
    expect(worker.exited).toBe(true);
    expect(ends).toEqual([]);
  });

  it('reports a worker that dies while it loads', async () => {
    const { worker, starting } = setup({ readyAtOnce: false });
    worker.exit({ signal: 'SIGABRT' });
    await expect(starting).rejects.toMatchObject({ code: 'model_load_failed', details: { reason: 'crash' } });
  });

  it('ends a worker whose template does not come to an end', async () => {
    const { clock, worker, starting } = setup({ readyAtOnce: false });
    const failed = expect(starting).rejects.toMatchObject({
      code: 'invalid_model_file',
      details: { reason: 'template_endless' },
    });
    worker.emit({ type: 'probing' });
    clock.advance(2_000);
    await failed;
    expect(worker.exited).toBe(true);
  });

  it('ends a load that takes too long', async () => {
    const { clock, worker, starting } = setup({ readyAtOnce: false });
    const failed = expect(starting).rejects.toMatchObject({
      code: 'model_load_failed',
      details: { reason: 'timeout' },
    });
    clock.advance(60_000);
    await failed;
    expect(worker.exited).toBe(true);
  });

  it('fails its requests when the worker is killed, and says so once', async () => {
    const { worker, starting, ends } = setup();
    const model = await starting;
    const next = generate(model);
    await settle();
    worker.exit({ signal: 'SIGKILL' });
    await expect(next).rejects.toMatchObject({ code: 'worker_crashed', retryable: true });
    await expect(generate(model)).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(ends).toEqual(['killed']);
  });

  it('kills a worker that stops answering, and tells hung from killed', async () => {
    const { clock, worker, starting, ends } = setup({ pongs: false });
    const model = await starting;
    const next = generate(model);
    await settle();
    // The first tick knows that it has just said it is ready.
    clock.advance(9_000);
    await settle();
    expect(worker.exited).toBe(false);
    clock.advance(1_000);
    await expect(next).rejects.toMatchObject({ code: 'worker_crashed', details: { reason: 'hung' } });
    expect(ends).toEqual(['hung']);
  });

  it('waits for a worker that others do not let run, until it has had its seconds', async () => {
    const time = { ranMs: 0, waitedMs: 0 };
    const { clock, worker, starting, ends } = setup({ pongs: false }, () => ({ ...time }));
    const model = await starting;
    const next = expect(generate(model)).rejects.toMatchObject({ details: { reason: 'hung' } });
    const second = (ranMs: number) => {
      time.ranMs += ranMs;
      time.waitedMs += 1_000 - ranMs;
      clock.advance(1_000);
    };
    for (let passed = 0; passed < 60; passed++) second(50);
    await settle();
    expect(worker.exited).toBe(false);
    // 3 of its 8 seconds are gone; the rest it has a core for itself.
    for (let passed = 0; passed < 7; passed++) second(1_000);
    await next;
    expect(ends).toEqual(['hung']);
  });

  it('gives a template as much of a core as it has on a quiet machine', async () => {
    const time = { ranMs: 100, waitedMs: 0 };
    const { clock, worker, starting } = setup({ readyAtOnce: false }, () => ({ ...time }));
    worker.emit({ type: 'probing' });
    const failed = expect(starting).rejects.toMatchObject({ details: { reason: 'template_endless' } });
    const twoSeconds = (ranMs: number) => {
      time.ranMs += ranMs;
      time.waitedMs += 2_000 - ranMs;
      clock.advance(2_000);
    };
    for (let passed = 0; passed < 5; passed++) twoSeconds(100);
    await settle();
    expect(worker.exited).toBe(false);
    twoSeconds(1_000);
    await failed;
  });

  it('never kills a worker that answers its pings, however late the server reads them', async () => {
    const { clock, worker, starting } = setup({ pongs: false });
    await starting;
    for (let minute = 0; minute < 5; minute++) {
      // Six ticks pass before the answer is read.
      clock.advance(6_000);
      worker.emit({ type: 'pong', sequence: 0 });
    }
    expect(worker.exited).toBe(false);
  });

  it('asks only a worker that has been silent since the last tick', async () => {
    const { clock, worker, starting } = setup({ pongs: false });
    await starting;
    const pings = () => worker.received.filter(({ type }) => type === 'ping').length;
    clock.advance(1_000);
    expect(pings()).toBe(0);
    clock.advance(1_000);
    expect(pings()).toBe(1);
    for (let second = 0; second < 20; second++) {
      worker.emit({ type: 'step', items: [], report: null });
      clock.advance(1_000);
    }
    expect(pings()).toBe(1);
    expect(worker.exited).toBe(false);
  });

  it('asks before it kills when it is stopped', async () => {
    const obedient = setup();
    await (await obedient.starting).stop();
    expect(obedient.worker.received.at(-1)).toEqual({ type: 'shutdown' });
    expect(obedient.ends).toEqual(['asked']);

    const stubborn = setup({ obeysShutdown: false });
    const stopped = (await stubborn.starting).stop();
    await settle();
    expect(stubborn.worker.exited).toBe(false);
    stubborn.clock.advance(10_000);
    await stopped;
    expect(stubborn.worker.exited).toBe(true);
    expect(stubborn.ends).toEqual(['asked']);
  });
});
