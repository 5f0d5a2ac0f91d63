import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { foldEvents, type StreamEvent } from '../../../src/core/events.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { runProviderContract } from '../../contracts/provider.contract.ts';
import { createHarness, type Harness } from '../../http/harness.ts';
import { anyContext } from '../../support/calls.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../../support/fake-engine.ts';
import { toyAnswer } from '../../support/fake-openai/toy-model.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../../support/provider-config.ts';

/** The toy's answer to a request as it came out of another Hearth's dialect. */
function* toyEvents({ input, maxTokens, stop, sampling }: ChatRequest): Generator<StreamEvent> {
  if (input.type === 'text') throw new Error('nobody asks this one for text');
  const { toolChoice } = input;
  const name =
    toolChoice.type === 'tool' ? toolChoice.name : toolChoice.type === 'allowed' ? toolChoice.names[0] : null;
  const tools = input.tools.map((tool) => ({ function: tool }));
  const {
    choices: [said],
  } = toyAnswer({
    messages: [],
    tools,
    ...(name && { tool_choice: { type: 'function', function: { name } } }),
    max_tokens: maxTokens,
    ...(stop.length > 0 && { stop }),
    ignore_eos: sampling.ignoreEnd,
  });
  yield startEvent();
  const [call] = said!.calls;
  if (call) yield* toolCallEvents(0, call.id, call.name, [call.arguments]);
  else
    yield* textEvents(
      said!.words.map((word, index) => (index === 0 ? word : ` ${word}`)),
      0,
    );
  yield finishEvent(call ? 5 : said!.words.length, said!.finish);
}

async function startHearth(): Promise<{ harness: Harness; baseUrl: string }> {
  const harness = await createHarness();
  harness.gateway.play((request) => toyEvents(request));
  const address = await harness.http.app.listen({ port: 0, host: '127.0.0.1' });
  return { harness, baseUrl: `${address}/v1` };
}

/** Clients open connections ahead, which are no idle ones before their first request. */
async function close(harness: Harness): Promise<void> {
  harness.http.app.server.closeAllConnections();
  await harness.close();
}

const models = [cloudModel('tiny'), cloudModel('tiny-embed'), cloudModel('tiny-rerank')];

runProviderContract('openai-compatible, another Hearth', async () => {
  const { harness, baseUrl } = await startHearth();
  const config = providerConfig({ preset: 'hearth', baseUrl, models });
  return {
    provider: createOpenAiCompatibleProvider({ config, clock: manualClock() }),
    model: 'tiny',
    embedModel: 'tiny-embed',
    rankModel: 'tiny-rerank',
    hidesStopStrings: 'OpenAI has one word, "stop", for both',
    close: () => close(harness),
  };
});

describe('another Hearth as upstream', () => {
  let harness: Harness;
  let baseUrl: string;
  beforeAll(async () => {
    ({ harness, baseUrl } = await startHearth());
  });
  afterAll(() => close(harness));
  const open = () =>
    createOpenAiCompatibleProvider({ config: providerConfig({ preset: 'hearth', baseUrl }), clock: manualClock() });

  it('gives the decisions that the other one made, in every form of question', async () => {
    const options = [{ label: 'a', description: 'the first' }, { label: 'b' }, { label: 'c' }];
    const { decisions, model, promptTokens, cachedTokens } = await open().decide(
      {
        model: 'tiny',
        state: 'The sea.',
        questions: [
          { type: 'yes-no', text: 'Is it wet?' },
          { type: 'yes-no', text: 'Is it wet?', yes: 'One could drown.', no: 'It is dry.' },
          { type: 'choice', text: 'Which?', options },
          { type: 'score', text: 'How much?', levels: options },
        ],
      },
      anyContext(),
    );
    const [half, third] = [
      [2 / 3, 1 / 3],
      [4 / 7, 2 / 7, 1 / 7],
    ];
    expect(decisions.map((decision) => (decision.type === 'decided' ? decision.probabilities : null))).toEqual([
      [expect.closeTo(half![0]!), expect.closeTo(half![1]!)],
      half,
      third,
      third,
    ]);
    expect(decisions.every(({ labelMass }) => labelMass === 0.75)).toBe(true);
    expect({ model, promptTokens, cachedTokens }).toEqual({ model: 'tiny', promptTokens: 12, cachedTokens: 2 });
    const asked = harness.gateway.wholeCalls.at(-1)!.request;
    expect(asked).toMatchObject({
      state: 'The sea.',
      questions: [{ type: 'yes-no' }, {}, { options }, { levels: options }],
    });
  });

  it('shows the tokens of the other one, those of a conversation too', async () => {
    const request = { model: 'tiny', sampling: {}, stop: [] };
    const text = { ...request, input: { type: 'text' as const, prompt: 'aé' }, addStart: true, wantsPieces: true };
    expect(await open().tokens({ ...text, wantsPieces: false }, anyContext())).toEqual({
      model: 'tiny',
      tokens: [1, 97, 233],
      text: 'aé',
    });
    const pieces = await open().tokens({ ...text, addStart: false }, anyContext());
    expect(pieces.pieces).toEqual([
      { text: 'a', bytes: [97] },
      { text: 'é', bytes: [195, 169] },
    ]);
    const back = { ...request, input: { type: 'text' as const, prompt: [97, 98] } };
    expect(await open().tokens(back, anyContext())).toMatchObject({ text: 'ab' });
    const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Hi' }] }];
    const chat = { type: 'chat' as const, messages, tools: [], toolChoice: { type: 'auto' as const } };
    expect(await open().tokens({ ...request, input: chat }, anyContext())).toMatchObject({
      tokens: [72, 105],
      text: 'Hi',
    });
  });

  it('lists the models of the other one, and knows them from then on', async () => {
    const provider = open();
    expect(provider.nameOf('tiny')).toBeNull();
    const listed = await provider.models(new AbortController().signal);
    expect(listed.map(({ id }) => id)).toContain('tiny');
    expect(provider.nameOf('tiny')).toBe('tiny');
  });

  it('hands on what only a Hearth knows: how long a model stays, and what is kept of its prompt', async () => {
    const wanted: ChatRequest = {
      model: 'tiny',
      input: {
        type: 'chat',
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
        tools: [],
        toolChoice: { type: 'auto' },
      },
      sampling: { topK: 7, minP: 0.25, repeatPenalty: 1.5, xtc: { probability: 0.5, threshold: 0.25 } },
      stop: ['end'],
      keepAliveMs: 90_000,
      promptCache: 'pin',
      format: { type: 'grammar', gbnf: 'root ::= "a"' },
      reasoning: { mode: 'off' },
    };
    for await (const event of open().stream(wanted, anyContext())) {
      if (event.type === 'start') expect(event.warnings).toEqual([]);
    }
    const { request } = harness.gateway.calls.at(-1)!;
    expect(request).toMatchObject({ ...wanted, input: { ...wanted.input, messages: [{ role: 'user' }] } });
  });

  it('names what the other one did not honour', async () => {
    const wanted: ChatRequest = {
      model: 'tiny',
      input: {
        type: 'chat',
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
        tools: [],
        toolChoice: { type: 'auto' },
      },
      sampling: {},
      stop: [],
      extra: { openai: { made_up: true } },
    };
    const { warnings } = await foldEvents(open().stream(wanted, anyContext()));
    expect(warnings).toEqual([{ field: null, message: 'cloud did not honour made_up.' }]);
  });

  it('counts what the other one counts', async () => {
    const { promptTokens } = await open().count(
      {
        model: 'tiny',
        input: {
          type: 'chat',
          messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
          tools: [],
          toolChoice: { type: 'auto' },
        },
        sampling: {},
        stop: [],
      },
      anyContext(),
    );
    expect(promptTokens).toBe(5);
  });
});
