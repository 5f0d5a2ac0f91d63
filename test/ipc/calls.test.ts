import { describe, expect, it } from 'vitest';
import { packVector } from '../../src/core/embedding.ts';
import { AppError } from '../../src/core/errors.ts';
import { createChannel } from '../../src/ipc/channel.ts';
import type { WorkerAnswer, WorkerEmbedRequest, WorkerRequest } from '../../src/ipc/protocol.ts';
import { fakeWorker } from '../support/fake-worker.ts';

const request: WorkerEmbedRequest = { inputs: ['a'], dimensions: null };
const gone = new AppError('client_closed_request', 'gone');

function setup() {
  const worker = fakeWorker({ obeysCancel: false });
  const channel = createChannel({ port: worker, onStep: () => {} });
  const counts = { settled: 0 };
  const onSettled = () => void counts.settled++;
  const abort = new AbortController();
  const embed = (signal = abort.signal) => channel.embed(request, signal, onSettled);
  const rank = () => channel.rank({ query: 'q', documents: ['a', 'b'] }, abort.signal, onSettled);
  return { worker, channel, counts, abort, embed, rank };
}

const embedded = (id: number, vector: number[]): WorkerAnswer => ({
  type: 'embedded',
  id,
  packed: [packVector(vector)],
  promptTokens: 3,
});

describe('a request with one answer', () => {
  it('gets the answer with its own id, whatever the order', async () => {
    const { worker, embed, counts } = setup();
    const first = embed();
    const second = embed();
    const [a, b] = worker.calls.map((call) => call.id) as [number, number];
    expect(a).not.toBe(b);
    worker.emit(embedded(b, [2]));
    worker.emit(embedded(a, [1]));
    expect(await first).toEqual({ vectors: [[1]], promptTokens: 3 });
    expect(await second).toEqual({ vectors: [[2]], promptTokens: 3 });
    expect(counts.settled).toBe(2);
  });

  it('gets scores for documents', async () => {
    const { worker, rank } = setup();
    const scores = rank();
    expect(worker.calls[0]).toMatchObject({ type: 'rank', request: { query: 'q', documents: ['a', 'b'] } });
    worker.emit({ type: 'ranked', id: worker.calls[0]!.id, scores: [0.25, 1], promptTokens: 9 });
    expect(await scores).toEqual({ scores: [0.25, 1], promptTokens: 9 });
  });

  it('gets the time of a step, or that there was none', async () => {
    const { worker, channel, abort } = setup();
    const setting = { phase: 'prefill', tokens: 64, threads: 2, libuvThreads: 1 } as const;
    const first = channel.measure(setting, abort.signal);
    const second = channel.measure({ ...setting, threads: 1 }, abort.signal);
    expect(worker.measurements).toMatchObject([{ type: 'measure', setting }, { setting: { threads: 1 } }]);
    worker.emit({ type: 'measured', id: worker.measurements[0]!.id, milliseconds: 12.5 });
    worker.emit({ type: 'measured', id: worker.measurements[0]!.id, milliseconds: null });
    expect(await first).toBe(12.5);
    expect(await second).toBeNull();
  });

  it('measures no longer when its caller turns away, and tells the worker', async () => {
    const { worker, channel, abort } = setup();
    const step = channel.measure({ phase: 'decode', tokens: 1, threads: 1, libuvThreads: 1 }, abort.signal);
    abort.abort(gone);
    await expect(step).rejects.toBe(gone);
    expect(worker.received.at(-1)).toEqual({ type: 'cancel', id: worker.measurements[0]!.id });
  });

  it('shares its ids with streams, so that a cancel can only mean one of them', () => {
    const { worker, channel, embed } = setup();
    void embed();
    void channel
      .generate({} as WorkerRequest, new AbortController().signal, { onToken: () => {}, onSettled: () => {} })
      .next();
    expect(worker.running[0]!.id).not.toBe(worker.calls[0]!.id);
  });

  it('throws the worker’s refusal with its code, field and numbers', async () => {
    const { worker, embed, counts } = setup();
    const answer = embed();
    const error = new AppError('context_length_exceeded', 'too long', {
      field: 'input.0',
      details: { prompt_tokens: 9 },
    });
    worker.emit({ type: 'refused', id: worker.calls[0]!.id, error: error.toWire() });
    await expect(answer).rejects.toMatchObject({
      code: 'context_length_exceeded',
      field: 'input.0',
      details: { prompt_tokens: 9 },
    });
    expect(counts.settled).toBe(1);
  });

  it('rejects at once when aborted, and settles only when the worker confirms', async () => {
    const { worker, embed, abort, counts } = setup();
    const answer = embed();
    const { id } = worker.calls[0]!;
    abort.abort(gone);
    await expect(answer).rejects.toBe(gone);
    expect(worker.received.at(-1)).toEqual({ type: 'cancel', id });
    expect(counts.settled).toBe(0);
    worker.emit(embedded(id, [1]));
    expect(counts.settled).toBe(1);
  });

  it('is not sent at all when it is aborted before', async () => {
    const { worker, embed, abort, counts } = setup();
    abort.abort(gone);
    await expect(embed()).rejects.toBe(gone);
    expect(worker.received).toEqual([]);
    expect(counts.settled).toBe(1);
  });

  it('fails with the reason of the channel’s close, now and later, and settles once each', async () => {
    const { worker, channel, embed, rank, counts } = setup();
    const waiting = [embed(), rank()];
    const { id } = worker.calls[0]!;
    channel.close(new AppError('worker_crashed', 'dead'));
    for (const answer of waiting) await expect(answer).rejects.toMatchObject({ code: 'worker_crashed' });
    await expect(embed()).rejects.toMatchObject({ code: 'worker_crashed' });
    worker.emit(embedded(id, [1]));
    expect(counts.settled).toBe(3);
  });

  it('drops an answer that nobody waits for', async () => {
    const { worker, embed } = setup();
    const answer = embed();
    worker.emit(embedded(999, [9]));
    worker.emit(embedded(worker.calls[0]!.id, [1]));
    expect((await answer).vectors).toEqual([[1]]);
  });
});
