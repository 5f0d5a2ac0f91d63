import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderConfig, ProviderPreset } from '../../../src/config/providers.ts';
import type { DecisionQuestion, DecisionRequest } from '../../../src/core/decision.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { anyContext } from '../../support/calls.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../../support/fake-openai/fake-openai.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { providerConfig } from '../../support/provider-config.ts';

const fakes: FakeOpenAi[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

async function open(preset: ProviderPreset, models = ['toy'], changes: Partial<ProviderConfig> = {}) {
  const fake = await startFakeOpenAi('openai', models);
  fakes.push(fake);
  const config = providerConfig({ preset, baseUrl: fake.baseUrl, ...changes });
  return { fake, provider: createOpenAiCompatibleProvider({ config, clock: manualClock() }) };
}

const asking = (questions: DecisionQuestion[], model = 'toy'): DecisionRequest => ({
  model,
  state: 'The sea is wet.',
  questions,
});
const choice: DecisionQuestion = { type: 'choice', text: 'Which?', options: [{ label: 'ab' }, { label: 'abcdef' }] };
const options = (count: number) => Array.from({ length: count }, (_, index) => ({ label: `option ${index}` }));

describe('decisions of a service that tells log probabilities', () => {
  it('are read from the letters of the options, in both orders, so that no place counts', async () => {
    const { fake, provider } = await open('vllm');
    const { decisions, ...counts } = await provider.decide(asking([choice]), anyContext());
    // By their lengths, 1 to 3; the bonus of the first place falls on each once.
    expect(decisions).toEqual([
      { type: 'decided', probabilities: [expect.closeTo(0.25), expect.closeTo(0.75)], labelMass: expect.closeTo(0.9) },
    ]);
    expect(counts).toEqual({ model: 'toy', promptTokens: 80, cachedTokens: 60, outputTokens: 2, queueMs: null });
    expect(fake.requests.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/chat/completions']);
    for (const { body } of fake.requests) {
      expect(body).toMatchObject({ max_tokens: 1, logprobs: true, top_logprobs: 20, temperature: 0 });
      expect(body.chat_template_kwargs).toEqual({ enable_thinking: false });
      expect(body).not.toHaveProperty('stream');
      expect(body.messages[1].content).toMatch(/^Text:\nThe sea is wet\.\n\nQuestion: Which\?\nA\) /);
    }
    const shown = fake.requests.map(({ body }) => body.messages[1].content.match(/A\) (.+)/)[1]);
    expect(shown.sort()).toEqual(['ab', 'abcdef']);
  });

  it('come in the order of the questions, of each kind, however many there are', async () => {
    const { fake, provider } = await open('llama-server');
    const questions: DecisionQuestion[] = [
      { type: 'yes-no', text: 'Is it wet?' },
      choice,
      { type: 'score', text: 'How wet?', levels: options(10) },
    ];
    const { decisions } = await provider.decide(asking(questions), anyContext());
    expect(fake.requests).toHaveLength(6);
    expect(decisions.map((one) => (one.type === 'decided' ? one.probabilities.length : 0))).toEqual([2, 2, 10]);
    for (const one of decisions) {
      const sum = one.type === 'decided' ? one.probabilities.reduce((all, share) => all + share, 0) : 0;
      expect(sum).toBeCloseTo(1, 9);
    }
  });

  it('are refused by themselves where the answer would be something else', async () => {
    const { fake, provider } = await open('vllm');
    const top = [
      { token: 'The', logprob: -0.01 },
      { token: 'A', logprob: -5 },
    ];
    const body = JSON.stringify({
      choices: [{ logprobs: { content: [{ ...top[0], top_logprobs: top }] } }],
      usage: {},
    });
    fake.play({ type: 'answer', status: 200, body }, { type: 'answer', status: 200, body });
    const { decisions } = await provider.decide(asking([choice]), anyContext());
    expect(decisions).toMatchObject([{ type: 'refused', reason: expect.stringContaining('%') }]);
  });

  it('count an option that is not among the likeliest tokens as less likely than all of them', async () => {
    const { fake, provider } = await open('vllm');
    const answer = (letter: string) => {
      const top = [
        { token: letter, logprob: Math.log(0.9) },
        { token: ' X', logprob: Math.log(0.02) },
      ];
      const content = [{ ...top[0], top_logprobs: top }];
      return { type: 'answer', status: 200, body: JSON.stringify({ choices: [{ logprobs: { content } }] }) } as const;
    };
    fake.play(answer('A'), answer('A'));
    const { decisions } = await provider.decide(asking([choice]), anyContext());
    // In either order the same letter: it says nothing of the options.
    expect(decisions).toMatchObject([{ probabilities: [expect.closeTo(0.5), expect.closeTo(0.5)] }]);
  });

  it('of too many options are refused by the question, before anybody is asked', async () => {
    const { fake, provider } = await open('vllm');
    const asked = provider.decide(asking([choice, { type: 'choice', text: '?', options: options(21) }]), anyContext());
    await expect(asked).rejects.toMatchObject({ code: 'not_supported', field: 'questions.1' });
    expect(fake.requests).toEqual([]);
  });

  it('are a failure of the service where it tells none all the same', async () => {
    const { fake, provider } = await open('vllm');
    const none = { type: 'answer', status: 200, body: '{"choices":[{"message":{"content":"A"}}]}' } as const;
    fake.play(none, none);
    await expect(provider.decide(asking([choice]), anyContext())).rejects.toMatchObject({
      code: 'upstream_unavailable',
    });
  });

  it.each<[string, ProviderPreset, string, RegExp]>([
    ['tells no log probabilities', 'gemini', 'toy', /log probabilities/],
    ['tells none, as far as is known', 'custom', 'toy', /log probabilities/],
    ['thinks before it answers', 'openai', 'o3', /thinks/],
  ])('are refused by name where the service %s', async (_title, preset, model, message) => {
    const { fake, provider } = await open(preset, [model]);
    const asked = provider.decide(asking([choice], model), anyContext());
    await expect(asked).rejects.toMatchObject({ code: 'not_supported', field: 'model', message });
    expect(fake.requests).toEqual([]);
    await provider.models(new AbortController().signal);
    expect(provider.capabilities(model)!.operations).toEqual(['generate']);
  });

  it.each<[ProviderPreset, string, Partial<ProviderConfig>]>([
    ['openai', 'gpt-4o', {}],
    ['openai', 'gpt-5.2', {}],
    ['deepseek', 'toy', {}],
    ['ollama', 'toy', {}],
    ['custom', 'toy', { capabilities: { supports_logprobs: true } }],
  ])('are given by %s with %s, and its model says so', async (preset, model, changes) => {
    const { provider } = await open(preset, [model], changes);
    await provider.models(new AbortController().signal);
    expect(provider.capabilities(model)!.operations).toEqual(['generate', 'decide']);
    const { decisions } = await provider.decide(asking([choice], model), anyContext());
    expect(decisions).toMatchObject([{ type: 'decided' }]);
  });
});
