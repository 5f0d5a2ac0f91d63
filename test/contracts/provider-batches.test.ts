import { createLogger } from '../../src/observe/logger.ts';
import { createAnthropicProvider } from '../../src/providers/anthropic/anthropic.ts';
import { createOpenAiCompatibleProvider } from '../../src/providers/openai-compatible/openai-compatible.ts';
import { anthropicConfig } from '../support/fake-anthropic/config.ts';
import { fakeModel, startFakeAnthropic } from '../support/fake-anthropic/fake-anthropic.ts';
import { startFakeOpenAi } from '../support/fake-openai/fake-openai.ts';
import { manualClock } from '../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../support/provider-config.ts';
import { startSecondHearth } from '../support/second-hearth.ts';
import { runBatchContract } from './provider-batches.contract.ts';

const log = createLogger('silent');
const clock = manualClock();
const { now } = clock;

runBatchContract("Anthropic's API", async () => {
  const fake = await startFakeAnthropic({ now });
  return {
    provider: createAnthropicProvider({ config: anthropicConfig({ baseUrl: fake.url }), clock, log }),
    model: fakeModel,
    now,
    work: () => fake.batches.end(),
    findsForCertain: false,
    cancelsAtOnce: true,
    close: fake.close,
  };
});

runBatchContract("OpenAI's API", async () => {
  const fake = await startFakeOpenAi('openai', ['toy'], now);
  const config = providerConfig({ baseUrl: fake.baseUrl, models: [cloudModel('toy')] });
  return {
    provider: createOpenAiCompatibleProvider({ config, clock }),
    model: 'toy',
    now,
    work: () => fake.batches.end(),
    findsForCertain: true,
    cancelsAtOnce: true,
    close: fake.close,
  };
});

/** Another Hearth, which answers batches itself; its jobs begin when the test wants them to. */
async function openHearth() {
  const hearth = await startSecondHearth();
  let isStarted = false;
  return {
    hearth,
    now: () => hearth.clock.now(),
    work() {
      if (!isStarted) hearth.jobs.start(hearth.http.perform);
      isStarted = true;
    },
  };
}

runBatchContract("another Hearth by Anthropic's API", async () => {
  const { hearth, now, work } = await openHearth();
  const config = anthropicConfig({
    id: 'cellar',
    baseUrl: hearth.url,
    apiKey: null,
    models: [cloudModel('tiny')],
    capabilities: { sampling: true, prefill: true, vision: false },
  });
  const provider = createAnthropicProvider({ config, clock, log });
  return { provider, model: 'tiny', now, work, findsForCertain: false, cancelsAtOnce: false, close: hearth.close };
});

runBatchContract("another Hearth by OpenAI's API", async () => {
  const { hearth, now, work } = await openHearth();
  const config = providerConfig({
    id: 'cellar',
    preset: 'hearth',
    baseUrl: `${hearth.url}/v1`,
    apiKey: null,
    models: [cloudModel('tiny')],
  });
  const provider = createOpenAiCompatibleProvider({ config, clock });
  return { provider, model: 'tiny', now, work, findsForCertain: true, cancelsAtOnce: false, close: hearth.close };
});
