import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../src/core/chat.ts';
import { textOf, toolCallsOf } from '../../src/core/content.ts';
import { AppError } from '../../src/core/errors.ts';
import { type BlockEvent, foldEvents, isContent, type ProviderEvent } from '../../src/core/events.ts';
import type { Provider } from '../../src/core/provider.ts';
import { promptTokensOf, type Usage } from '../../src/core/usage.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';

/** A provider under contract, with what the suite needs to know of it. */
export interface ContractSubject {
  provider: Provider;
  /** A model that generates text. */
  model: string;
  /** Models for the other operations; left out: it has none, and must say so. */
  embedModel?: string;
  rankModel?: string;
  /** Why its answers do not tell a stop string that ended them from their own end; left out: they do. */
  hidesStopStrings?: string;
  /** How many requests the provider holds now; left out: it cannot be seen from outside. */
  running?: () => Promise<number>;
  close?(): Promise<void>;
}

const user = (text: string): ChatRequest['input'] => ({
  type: 'chat',
  messages: [{ role: 'user', content: [{ type: 'text', text }] }],
  tools: [],
  toolChoice: { type: 'auto' },
});

const openings = ['text-start', 'reasoning-start', 'tool-call-start'];
const endings = ['text-end', 'reasoning-end', 'tool-call-end'];

/** What `core/provider.ts` promises, asked of a real provider: behaviour, not words. `open` is called once. */
export function runProviderContract(name: string, open: () => Promise<ContractSubject>): void {
  describe(`the provider contract: ${name}`, () => {
    let subject: ContractSubject;
    let provider: Provider;
    const chat = (changes: Partial<ChatRequest> = {}): ChatRequest => ({
      model: subject.model,
      input: user('Say a few words about the sea.'),
      sampling: { temperature: 0 },
      stop: [],
      maxTokens: 24,
      ...changes,
    });
    const ask = (changes: Partial<ChatRequest> = {}) => provider.stream(chat(changes), anyContext());

    beforeAll(async () => {
      subject = await open();
      provider = subject.provider;
    });
    afterAll(() => subject?.close?.());

    it('gives progress, one start, blocks and one finish, in this order', async () => {
      const events = await collect(ask());
      const types = events.map(({ type }) => type);
      expect(types.filter((type) => type === 'start')).toHaveLength(1);
      expect(types.filter((type) => type === 'finish')).toHaveLength(1);
      expect(types.at(-1)).toBe('finish');
      expect(types.findIndex((_, index) => isContent(events[index]!))).toBeGreaterThan(types.indexOf('start'));
      expect(types.lastIndexOf('progress')).toBeLessThan(events.findIndex(isContent));
      expectWholeBlocks(events);
    });

    it('names the model that answers, and counts nothing twice', async () => {
      const { model, usage } = await foldEvents(ask());
      expect(model).not.toBe('');
      expectPlausible(usage, 24);
    });

    it('gives the same text in one piece as in many, where nothing is left to chance', async () => {
      const [first, second] = [await foldEvents(ask()), await foldEvents(ask())];
      expect(textOf(first.choices[0].blocks)).not.toBe('');
      expect(second.choices[0].blocks).toEqual(first.choices[0].blocks);
    });

    it('ends at the most tokens, and says so', async () => {
      const { choices, usage } = await foldEvents(ask({ maxTokens: 3 }));
      expect(choices[0]).toMatchObject({ reason: 'length', stopSequence: null });
      expect(usage.outputTokens).toBe(3);
    });

    it('ends at a stop string, names it and leaves it out', async () => {
      const whole = textOf((await foldEvents(ask())).choices[0].blocks);
      const stop = whole.trim().split(/\s+/)[2]!;
      const { choices } = await foldEvents(ask({ stop: [stop] }));
      if (!subject.hidesStopStrings) expect(choices[0]).toMatchObject({ reason: 'stop_sequence', stopSequence: stop });
      expect(textOf(choices[0].blocks)).toBe(whole.slice(0, whole.indexOf(stop)));
    });

    it('gives as many choices as were asked for and it can, each with an end of its own', async () => {
      const most = provider.capabilities(subject.model)!.choices;
      if (most === 1) return;
      const events = await collect(ask({ choices: 2, sampling: { temperature: 1, seed: 7 } }));
      expect(events.filter(({ type }) => type === 'choice-end')).toHaveLength(2);
      expect(events.filter(({ type }) => type === 'start')).toHaveLength(1);
      expectWholeBlocks(events);
      const answer = await foldEvents(replay(events));
      expect(answer.choices).toHaveLength(2);
      expectPlausible(answer.usage, 48);
    });

    it('calls a tool that it must call, with arguments that are an object', async () => {
      if (!provider.capabilities(subject.model)!.tools) return;
      const weather = {
        name: 'get_weather',
        parameters: { type: 'object', properties: { city: { type: 'string', maxLength: 12 } }, required: ['city'] },
      };
      const other = { name: 'get_time', parameters: { type: 'object', properties: {} } };
      const input = { ...user('What is the weather in Oslo?'), tools: [other, weather] } as ChatRequest['input'];
      const calledBy = async (toolChoice: object) => {
        const asked = { ...input, toolChoice } as ChatRequest['input'];
        const { choices } = await foldEvents(ask({ input: asked, maxTokens: 200 }));
        expect(choices[0].reason).toBe('tool_calls');
        return toolCallsOf(choices[0].blocks);
      };
      for (const choice of [
        { type: 'tool', name: 'get_weather' },
        { type: 'allowed', mode: 'required', names: ['get_weather'] },
      ]) {
        const calls = await calledBy(choice);
        expect(calls.map((call) => call.name)).toEqual(calls.map(() => 'get_weather'));
        expect(typeof calls[0]!.arguments['city']).toBe('string');
        expect(JSON.parse(calls[0]!.argumentsText!)).toEqual(calls[0]!.arguments);
      }
    });

    it('counts what a stream would count as its prompt', async () => {
      const { usage } = await foldEvents(ask());
      const counted = await provider.count(chat(), anyContext()).catch(notSupported);
      if (counted !== null) expect(counted.promptTokens).toBe(promptTokensOf(usage));
    });

    it('refuses a part that it does not read, by its place, instead of leaving it out', async () => {
      if (provider.capabilities(subject.model)!.reads.includes('image')) return;
      const image = {
        type: 'image' as const,
        mediaType: 'image/png',
        source: { type: 'bytes' as const, base64: 'aGk=' },
      };
      const input: ChatRequest['input'] = {
        type: 'chat',
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Look.' }, image] }],
        tools: [],
        toolChoice: { type: 'auto' },
      };
      await expect(collect(ask({ input }))).rejects.toMatchObject({ field: 'input.messages.0.content.1' });
      await expect(collect(ask({ input }))).rejects.toBeInstanceOf(AppError);
    });

    it('knows no model that it does not have', async () => {
      const unknown = { code: 'model_not_found', field: 'model' };
      await expect(collect(ask({ model: 'no-such-model' }))).rejects.toMatchObject(unknown);
      expect(provider.capabilities('no-such-model')).toBeNull();
    });

    it('lists each of its models once, and says of each what it can do', async () => {
      const models = await provider.models(new AbortController().signal);
      expect(new Set(models.map(({ id }) => id)).size).toBe(models.length);
      expect(models.map(({ id }) => id)).toContain(subject.model);
      for (const { id, provider: owner, capabilities } of models) {
        expect(owner).toBe(provider.id);
        expect(provider.capabilities(id)).toEqual(capabilities);
      }
    });

    it('is ready without being asked anything', () => {
      expect(provider.status()).toEqual({ state: 'ready', reason: null });
    });

    it('makes vectors, scores and decisions, or says that it does not', async () => {
      const { embedModel, rankModel } = subject;
      // The provider has no such thing, or this model of it has not.
      const saysNo = expect.stringMatching(/^(not_supported|invalid_request)$/);
      const embedded = provider.embed({ model: embedModel ?? subject.model, inputs: ['sea', 'ship'] }, anyContext());
      if (embedModel === undefined) await expect(embedded).rejects.toMatchObject({ code: saysNo });
      else expect((await embedded).vectors).toHaveLength(2);
      const asked = { model: rankModel ?? subject.model, query: 'sea', documents: ['ship', 'hill'] };
      const ranked = provider.rank(asked, anyContext());
      if (rankModel === undefined) await expect(ranked).rejects.toMatchObject({ code: saysNo });
      else expect((await ranked).scores).toHaveLength(2);
      const questions = [{ type: 'yes-no' as const, text: 'Is it wet?' }];
      const decided = provider.decide({ model: subject.model, state: 'The sea.', questions }, anyContext());
      const canDecide = provider.capabilities(subject.model)?.operations.includes('decide') ?? false;
      if (!canDecide) await expect(decided).rejects.toMatchObject({ code: saysNo });
      else expect((await decided).decisions).toHaveLength(1);
    });

    it('ends with the reason of the signal when it aborts, before the first event and after it', async () => {
      const reason = new AppError('client_closed_request', 'gone');
      const gone = AbortSignal.abort(reason);
      await expect(collect(provider.stream(chat(), anyContext({ signal: gone })))).rejects.toBe(reason);

      const leaving = new AbortController();
      const late = async () => {
        const long = chat({ maxTokens: 400, sampling: { temperature: 0, ignoreEnd: true } });
        for await (const event of provider.stream(long, anyContext({ signal: leaving.signal }))) {
          if (isContent(event)) leaving.abort(reason);
        }
      };
      await expect(late()).rejects.toBe(reason);
      await expectNothingRuns();
    });

    it('lets go of everything when its reader turns away', async () => {
      for (const enough of [(event: ProviderEvent) => event.type === 'start', isContent]) {
        const long = { maxTokens: 400, sampling: { temperature: 0, ignoreEnd: true } };
        for await (const event of ask(long)) if (enough(event)) break;
      }
      await expectNothingRuns();
      expect(textOf((await foldEvents(ask())).choices[0].blocks)).not.toBe('');
    });

    async function expectNothingRuns(): Promise<void> {
      if (subject.running) await expect.poll(subject.running).toBe(0);
    }
  });
}

/** Each block is begun once, with an id of its own, gets only pieces of its kind, and is ended. */
function expectWholeBlocks(events: readonly ProviderEvent[]): void {
  const seen = new Set<number>();
  const open = new Map<number, string>();
  for (const event of events.filter((one): one is BlockEvent => 'blockId' in one)) {
    const { type, blockId } = event;
    const kind = type.replace(/-(start|delta|end)$/, '');
    if (openings.includes(type)) {
      expect(seen.has(blockId), `block ${blockId} is begun twice`).toBe(false);
      seen.add(blockId);
      open.set(blockId, kind);
    } else if (type.endsWith('-delta')) expect(open.get(blockId), `a piece of block ${blockId}`).toBe(kind);
    else if (endings.includes(type)) {
      expect(open.get(blockId), `the end of block ${blockId}`).toBe(kind);
      open.delete(blockId);
    }
  }
  expect([...open.keys()]).toEqual([]);
}

function expectPlausible(usage: Usage, mostTokens: number): void {
  for (const count of [usage.inputTokens, usage.cacheReadTokens, usage.outputTokens, usage.reasoningTokens]) {
    if (count !== null) expect(count).toBeGreaterThanOrEqual(0);
  }
  if (usage.outputTokens === null) return;
  expect(usage.outputTokens).toBeGreaterThan(0);
  expect(usage.outputTokens).toBeLessThanOrEqual(mostTokens);
  expect(usage.reasoningTokens ?? 0).toBeLessThanOrEqual(usage.outputTokens);
}

/** Null for an error that says that there is no such thing; any other is thrown. */
function notSupported(error: unknown): null {
  expect(error).toMatchObject({ code: 'not_supported' });
  return null;
}

async function* replay(events: readonly ProviderEvent[]): AsyncGenerator<ProviderEvent> {
  yield* events;
}
