import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchLineResult } from '../../src/core/batch-line.ts';
import type { ChatRequest } from '../../src/core/chat.ts';
import { textOf } from '../../src/core/content.ts';
import { AppError } from '../../src/core/errors.ts';
import { foldEvents, type ProviderEvent } from '../../src/core/events.ts';
import type { Provider } from '../../src/core/provider.ts';
import type { ProviderBatches } from '../../src/core/provider-batch.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';

/** A provider with batches under contract. */
export interface BatchSubject {
  provider: Provider;
  model: string;
  /** The clock of the service. */
  now: () => Date;
  /** The service does its work on batches: those that are there end. */
  work(): void;
  /** Whether it tells of the metadata of its batches, so that one is found for certain. */
  findsForCertain: boolean;
  /** Nothing of a batch was begun when it is cancelled at once; else all of it. */
  cancelsAtOnce: boolean;
  close(): Promise<void>;
}

type Answered = Extract<BatchLineResult, { type: 'answered' }>;

/** What `core/provider-batch.ts` promises, asked of a real provider before a service that speaks its wire. */
export function runBatchContract(name: string, open: () => Promise<BatchSubject>): void {
  describe(`the contract of batches: ${name}`, () => {
    let subject: BatchSubject;
    let batches: ProviderBatches;
    const { signal } = new AbortController();
    const chat = (text: string, changes: Partial<ChatRequest> = {}): ChatRequest => ({
      model: subject.model,
      input: {
        type: 'chat',
        messages: [{ role: 'user', content: [{ type: 'text', text }] }],
        tools: [],
        toolChoice: { type: 'auto' },
      },
      sampling: {},
      stop: [],
      maxTokens: 24,
      ...changes,
    });
    const lineOf = (customId: string, request: ChatRequest) => ({
      customId,
      request: batches.word(request, anyContext()),
    });
    const ended = async (id: string) => {
      for (;;) {
        const progress = await batches.progress(id, signal);
        if (progress.state !== 'running') return progress;
        subject.work();
        await nextTurn();
      }
    };
    const resultsOf = async (id: string) =>
      new Map((await collect(batches.results(id, signal))).map((result) => [result.customId, result]));

    beforeAll(async () => {
      subject = await open();
      batches = subject.provider.batches!;
    });
    afterAll(() => subject?.close());

    it('answers each request as by itself, whatever their order', async () => {
      const requests = ['the sea', 'the sky', 'the moon'].map((text) => chat(`Say a few words about ${text}.`));
      const lines = requests.map((request, index) => lineOf(`pb_one-${index}`, request));
      expect(new Set(lines.map(({ request }) => request.group)).size).toBe(1);
      const id = await batches.submit({ name: 'pb_one', lines }, signal);
      expect(await ended(id)).toEqual({ state: 'ended', reason: null, mayComeAgain: false });
      const results = await resultsOf(id);
      expect([...results.keys()].sort()).toEqual(['pb_one-0', 'pb_one-1', 'pb_one-2']);
      for (const [index, request] of requests.entries()) {
        const { answer } = results.get(`pb_one-${index}`) as Answered;
        const batched = await foldEvents(batches.read(request, answer, anyContext()));
        const alone = await foldEvents(subject.provider.stream(request, anyContext()));
        expect(textOf(batched.choices[0].blocks)).toBe(textOf(alone.choices[0].blocks));
        expect(batched.choices[0].reason).toBe(alone.choices[0].reason);
        expect(batched.usage.outputTokens).toBe(alone.usage.outputTokens);
        expect(batched.model).toBe(alone.model);
      }
    });

    it('tells of the failure of one request, and answers the others', async () => {
      const good = lineOf('pb_two-0', chat('Good.'));
      const bad = lineOf('pb_two-1', chat('Bad.'));
      const body = { ...(JSON.parse(bad.request.body) as object), messages: 'nothing' };
      const lines = [good, { ...bad, request: { ...bad.request, body: JSON.stringify(body) } }];
      const id = await batches.submit({ name: 'pb_two', lines }, signal).catch((error: unknown) => {
        // Another Hearth looks at all of them before it takes one.
        expect(error).toMatchObject({ code: 'upstream_refused' });
        return null;
      });
      if (id === null) return;
      if ((await ended(id)).state === 'failed') return;
      const results = await resultsOf(id);
      expect(results.get('pb_two-0')).toMatchObject({ type: 'answered', answer: { status: 200 } });
      const { answer } = results.get('pb_two-1') as Answered;
      const failure = await firstOf(() => batches.read(chat('Bad.'), answer, anyContext()));
      expect(failure).toBeInstanceOf(AppError);
      expect((failure as AppError).status).toBeLessThan(500);
    });

    it('words nothing that only makes sense for a stream', () => {
      const { body } = batches.word(chat('Say something.'), anyContext());
      expect(JSON.parse(body)).not.toHaveProperty('stream');
      expect(JSON.parse(body)).not.toHaveProperty('stream_options');
    });

    it('finds a batch again of which only our name is known', async () => {
      const sentAt = subject.now();
      const others = new Set<string>();
      const trace = { name: 'pb_lost', count: 5, sentAt, others };
      expect(await batches.find({ ...trace, name: 'pb_never', count: 77 }, signal)).toBeNull();
      const lines = [...'abcde'].map((text, index) => lineOf(`pb_lost-${index}`, chat(text)));
      const first = await batches.submit({ name: 'pb_lost', lines }, signal);
      expect(await batches.find(trace, signal)).toEqual({ id: first, isCertain: subject.findsForCertain });
      if (!subject.findsForCertain) {
        others.add(first);
        expect(await batches.find(trace, signal)).not.toMatchObject({ id: first });
      }
      await ended(first);
    });

    it('leaves off what was cancelled', async () => {
      const lines = ['one', 'two'].map((text, index) => lineOf(`pb_off-${index}`, chat(text)));
      const id = await batches.submit({ name: 'pb_off', lines }, signal);
      await batches.cancel(id, signal);
      await ended(id);
      const types = [...(await resultsOf(id)).values()].map(({ type }) => type);
      // What runs already may be finished.
      expect(types.filter((type) => type !== 'answered')).toEqual(
        subject.cancelsAtOnce ? ['canceled', 'canceled'] : [],
      );
    });

    it('is not known any more once it is forgotten, or leaves nothing of its requests', async () => {
      const id = await batches.submit({ name: 'pb_gone', lines: [lineOf('pb_gone-0', chat('one'))] }, signal);
      await ended(id);
      await batches.forget(id, signal);
      await expect(collect(batches.results(id, signal))).rejects.toBeInstanceOf(AppError);
      await expect(batches.progress('batch_unknown', signal)).rejects.toMatchObject({ code: 'not_found' });
    });
  });
}

async function firstOf(read: () => AsyncIterable<ProviderEvent>): Promise<unknown> {
  try {
    await collect(read());
    return null;
  } catch (error) {
    return error;
  }
}
