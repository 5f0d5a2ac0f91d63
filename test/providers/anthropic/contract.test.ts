import { createLogger } from '../../../src/observe/logger.ts';
import { createAnthropicProvider } from '../../../src/providers/anthropic/anthropic.ts';
import { runProviderContract } from '../../contracts/provider.contract.ts';
import { anthropicConfig } from '../../support/fake-anthropic/config.ts';
import { fakeModel, startFakeAnthropic } from '../../support/fake-anthropic/fake-anthropic.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel } from '../../support/provider-config.ts';
import { startSecondHearth } from '../../support/second-hearth.ts';

const log = createLogger('silent');

runProviderContract("Anthropic's API", async () => {
  const fake = await startFakeAnthropic();
  const config = anthropicConfig({ baseUrl: fake.url });
  return {
    provider: createAnthropicProvider({ config, clock: manualClock(), log }),
    model: fakeModel,
    running: async () => fake.running(),
    close: fake.close,
  };
});

runProviderContract("another Hearth by Anthropic's API", async () => {
  const hearth = await startSecondHearth();
  const config = anthropicConfig({
    id: 'cellar',
    baseUrl: hearth.url,
    apiKey: null,
    models: [cloudModel('tiny', { aliases: ['smallest'] })],
    capabilities: { sampling: true, prefill: true, vision: false },
  });
  return {
    provider: createAnthropicProvider({ config, clock: manualClock(), log }),
    model: 'tiny',
    running: async () => hearth.running(),
    close: hearth.close,
  };
});
