import { describe, expect, it } from 'vitest';
import type { EmbeddingRequest } from '../../src/core/embedding.ts';
import { packVector } from '../../src/core/embedding.ts';
import { AppError } from '../../src/core/errors.ts';
import { foldEvents } from '../../src/core/events.ts';
import type { CatalogModel } from '../../src/store/catalog/catalog.ts';
import type { GgufFacts } from '../../src/store/gguf/gguf.ts';
import { anyContext } from '../support/calls.ts';
import { type FakeWorker, type FakeWorkerBehaviour, settle } from '../support/fake-worker.ts';
import { testEngine } from '../support/test-engine.ts';

function model(name: string, header: Pick<GgufFacts, 'isEncoder' | 'poolingType'>): CatalogModel {
  const facts = { architecture: 'x', parameterCount: 1000, tensorBytes: 1000, trainedContextTokens: 512, ...header };
  return {
    name,
    aliases: [],
    variants: [
      {
        id: `${name}:q8_0`,
        quantization: 'q8_0',
        filePath: `/models/${name}.gguf`,
        files: [`${name}.gguf`],
        otherNames: [],
        stem: name,
        sizeBytes: 2000,
        modifiedAt: new Date(0),
        facts: facts as GgufFacts,
        invalidReason: null,
        invalidCode: null,
      },
    ],
  };
}

const chat = model('chat', { isEncoder: false, poolingType: null });
const encoder = model('encoder', { isEncoder: true, poolingType: 1 });
const ranker = model('ranker', { isEncoder: true, poolingType: 4 });

function setup(models: CatalogModel[] = [chat, encoder, ranker], behaviour: FakeWorkerBehaviour = {}) {
  const { engine, manager, clock, metrics, workers, scans } = testEngine(models, behaviour);
  const abort = new AbortController();
  const context = anyContext({ signal: abort.signal, requestId: 'req_1' });
  const embed = (request: Partial<EmbeddingRequest> = {}) =>
    engine.embed({ model: 'encoder', inputs: ['a'], ...request }, context);
  const rank = (name = 'ranker') => engine.rank({ model: name, query: 'q', documents: ['a', 'b'] }, context);
  const talk = (name: string) =>
    foldEvents(engine.stream({ model: name, input: { type: 'text', prompt: 'x' }, sampling: {}, stop: [] }, context));
  return { clock, metrics, workers, engine, manager, abort, embed, rank, talk, scans };
}

const embedded = (worker: FakeWorker) =>
  worker.emit({ type: 'embedded', id: worker.calls[0]!.id, packed: [packVector([1])], promptTokens: 3 });
const loadMessage = (worker: FakeWorker) => worker.received.find((message) => message.type === 'load');

describe('the engine asked for a count of tokens', () => {
  it('refuses what the model cannot read before it loads it, and holds no slot for it', async () => {
    const { engine, workers } = setup([chat]);
    const image = { type: 'image' as const, mediaType: null, source: { type: 'url' as const, url: 'https://x/y.png' } };
    const unreadable = engine.count(
      {
        model: 'chat',
        input: {
          type: 'chat',
          messages: [{ role: 'user', content: [image] }],
          tools: [],
          toolChoice: { type: 'auto' },
        },
        sampling: {},
        stop: [],
      },
      anyContext(),
    );
    await expect(unreadable).rejects.toMatchObject({ code: 'invalid_request', field: 'input.messages.0.content.0' });
    expect(workers).toHaveLength(0);
    expect((await engine.getModel('chat')).loaded?.activeRequests ?? 0).toBe(0);
  });
});

describe('the engine asked for vectors', () => {
  it('loads the model as what it is, answers under its name and books what was computed', async () => {
    const { workers, embed, metrics } = setup();
    const answer = embed({ dimensions: 1 });
    await settle();
    expect(loadMessage(workers[0]!)).toMatchObject({ options: { purpose: 'embed', batchTokens: 512 } });
    expect(workers[0]!.calls[0]).toMatchObject({ type: 'embed', request: { inputs: ['a'], dimensions: 1 } });
    embedded(workers[0]!);
    expect(await answer).toEqual({ model: 'encoder', vectors: [[1]], promptTokens: 3, queueMs: 0 });
    expect(await metrics.render()).toContain('hearth_prompt_tokens_evaluated_total{model="encoder"} 3');
  });

  it('gives the slot to the next one when the worker is done, and not before', async () => {
    const { workers, embed, abort, engine } = setup([encoder], { obeysCancel: false });
    await engine.load('encoder', { parallel: 1 });
    const first = embed();
    await settle();
    const second = engine.embed({ model: 'encoder', inputs: ['b'] }, anyContext({ requestId: 'req_2' }));
    abort.abort(new AppError('client_closed_request', 'gone'));
    await expect(first).rejects.toMatchObject({ code: 'client_closed_request' });
    await settle();
    expect(workers[0]!.calls.map((call) => call.request)).toMatchObject([{ inputs: ['a'] }]);
    embedded(workers[0]!);
    await settle();
    expect(workers[0]!.calls.map((call) => call.request)).toMatchObject([{ inputs: ['b'] }]);
    embedded(workers[0]!);
    expect((await second).vectors).toEqual([[1]]);
  });

  it('tries once more on a fresh worker, and gives up after the second crash', async () => {
    const { workers, embed } = setup();
    const lucky = embed();
    await settle();
    workers[0]!.exit({ signal: 'SIGSEGV' });
    await settle();
    embedded(workers[1]!);
    expect((await lucky).vectors).toEqual([[1]]);

    const unlucky = embed();
    const failed = expect(unlucky).rejects.toMatchObject({ code: 'worker_crashed' });
    await settle();
    workers[1]!.exit({ signal: 'SIGSEGV' });
    await settle();
    workers[2]!.exit({ signal: 'SIGSEGV' });
    await failed;
    expect(workers).toHaveLength(3);
  });

  it('hands on what the worker refuses', async () => {
    const { workers, embed } = setup();
    const answer = embed();
    await settle();
    const error = new AppError('context_length_exceeded', 'too long', { field: 'inputs.0' }).toWire();
    workers[0]!.emit({ type: 'refused', id: workers[0]!.calls[0]!.id, error });
    await expect(answer).rejects.toMatchObject({ code: 'context_length_exceeded', field: 'inputs.0' });
  });

  it('refuses new requests while it drains, and waits for running ones', async () => {
    const { workers, engine, embed } = setup();
    const running = embed();
    await settle();
    let isDrained = false;
    const drained = engine.drain(5_000).then(() => {
      isDrained = true;
    });
    await expect(embed()).rejects.toMatchObject({ code: 'shutting_down' });
    await settle();
    expect(isDrained).toBe(false);
    embedded(workers[0]!);
    await running;
    await drained;
  });

  it('ends running requests at the deadline of the drain', async () => {
    const { clock, workers, engine, embed } = setup();
    const ended = expect(embed()).rejects.toMatchObject({ code: 'shutting_down' });
    await settle();
    const drained = engine.drain(5_000);
    clock.advance(5_000);
    await ended;
    await drained;
    expect(workers[0]!.received.at(-1)?.type).toBe('cancel');
  });
});

describe('the engine asked to rank', () => {
  it('loads the model for it and gives the scores', async () => {
    const { workers, rank } = setup();
    const answer = rank();
    await settle();
    const [worker] = workers as [FakeWorker];
    expect(loadMessage(worker)).toMatchObject({ options: { purpose: 'rank' } });
    worker.emit({ type: 'ranked', id: worker.calls[0]!.id, scores: [0.5, 0.25], promptTokens: 8 });
    expect(await answer).toEqual({ model: 'ranker', scores: [0.5, 0.25], promptTokens: 8, queueMs: 0 });
  });
});

describe('a model asked for what it was not made for', () => {
  it('is refused without being loaded', async () => {
    const { workers, embed, rank, talk } = setup();
    await expect(embed({ model: 'chat' })).rejects.toMatchObject({ code: 'invalid_request', field: 'model' });
    await expect(embed({ model: 'ranker' })).rejects.toMatchObject({ code: 'invalid_request', field: 'model' });
    await expect(rank('encoder')).rejects.toMatchObject({ code: 'invalid_request', field: 'model' });
    await expect(talk('encoder')).rejects.toMatchObject({ code: 'invalid_request', field: 'model' });
    await expect(talk('ranker')).rejects.toMatchObject({ code: 'invalid_request', field: 'model' });
    expect(workers).toEqual([]);
  });
});

describe('the name default', () => {
  it('means the first model that can do what is asked, where the chat model cannot', async () => {
    const { workers, embed, rank } = setup();
    const answer = embed({ model: 'default' });
    await settle();
    embedded(workers[0]!);
    expect((await answer).model).toBe('encoder');
    const ranked = rank('default');
    await settle();
    workers[1]!.emit({ type: 'ranked', id: workers[1]!.calls[0]!.id, scores: [1, 0], promptTokens: 1 });
    expect((await ranked).model).toBe('ranker');
  });

  it('stays what it is where nothing can, and for any other name', async () => {
    const { embed } = setup([chat]);
    await expect(embed({ model: 'default' })).rejects.toMatchObject({ details: { model: 'chat' } });
    await expect(embed({ model: 'unknown' })).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('touches no disk when both models are loaded', async () => {
    const { workers, engine, embed, scans } = setup();
    await engine.load('chat', {});
    await engine.load('encoder', {});
    const before = scans();
    const answer = embed({ model: 'default' });
    await settle();
    embedded(workers[1]!);
    await answer;
    expect(scans()).toBe(before);
  });
});
