import type { ProviderPreset } from '../../../src/config/providers.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { runProviderContract } from '../../contracts/provider.contract.ts';
import { startFakeOpenAi } from '../../support/fake-openai/fake-openai.ts';
import type { Manner } from '../../support/fake-openai/wording.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../../support/provider-config.ts';

const hidden = 'OpenAI has one word, "stop", for both';

const subjects: { preset: ProviderPreset; manner: Manner; ranks?: boolean; embeds?: boolean }[] = [
  { preset: 'vllm', manner: 'vllm', ranks: true },
  { preset: 'openai', manner: 'openai' },
  { preset: 'gemini', manner: 'gemini' },
  { preset: 'deepseek', manner: 'deepseek', embeds: false },
  { preset: 'llama-server', manner: 'llama-server', ranks: true },
];

for (const { preset, manner, ranks = false, embeds = true } of subjects) {
  runProviderContract(`openai-compatible, ${preset}`, async () => {
    const fake = await startFakeOpenAi(manner);
    const models = ['toy', 'toy-embed', 'toy-rerank'].map((id) => cloudModel(id));
    const config = providerConfig({ preset, baseUrl: fake.baseUrl, models });
    return {
      provider: createOpenAiCompatibleProvider({ config, clock: manualClock() }),
      model: 'toy',
      ...(embeds && { embedModel: 'toy-embed' }),
      ...(ranks && { rankModel: 'toy-rerank' }),
      ...(preset !== 'vllm' && { hidesStopStrings: hidden }),
      running: async () => fake.running(),
      close: fake.close,
    };
  });
}
