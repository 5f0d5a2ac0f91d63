import { type FakeAnthropic, fakeModel, startFakeAnthropic } from './fake-anthropic/fake-anthropic.ts';
import { type FakeBedrock, fakeCredentials, startFakeBedrock } from './fake-bedrock/fake-bedrock.ts';
import { claude, nova } from './fake-bedrock/provider.ts';
import { type FakeOpenAi, startFakeOpenAi } from './fake-openai/fake-openai.ts';

/** A service of each type, over real sockets of this machine, and the configuration that names them. */
export interface Clouds {
  openai: FakeOpenAi;
  anthropic: FakeAnthropic;
  bedrock: FakeBedrock;
  /** The section `providers` of a configuration file: `openai`, `claude` and `aws`. */
  providers: Record<'openai' | 'claude' | 'aws', Record<string, unknown>>;
  /** Requests that arrived at any of them. */
  arrived(): number;
  /** Answers that any of them is giving. */
  running(): number;
  close(): Promise<void>;
}

/** A model of each way to a provider, and none of which this machine has. */
export const cloudModels = { openai: 'toy', claude: fakeModel, bedrockClaude: claude, nova } as const;

/** `now`: of the services, for when their batches were made; left out: that of the machine. */
export async function startClouds(now: () => Date = () => new Date()): Promise<Clouds> {
  const [openai, anthropic, bedrock] = await Promise.all([
    startFakeOpenAi('openai', undefined, now),
    startFakeAnthropic({ now }),
    startFakeBedrock(),
  ]);
  const all = [openai, anthropic, bedrock];
  const modelsOf = (...ids: string[]) => ids.map((id) => ({ id }));
  return {
    openai,
    anthropic,
    bedrock,
    providers: {
      openai: {
        type: 'openai',
        base_url: openai.baseUrl,
        api_key: 'sk-canary-openai',
        models: modelsOf(cloudModels.openai),
      },
      claude: {
        type: 'anthropic',
        base_url: anthropic.url,
        api_key: anthropic.key,
        models: modelsOf(cloudModels.claude),
      },
      aws: {
        type: 'bedrock',
        region: fakeCredentials.region,
        base_url: bedrock.baseUrl,
        api_key: fakeCredentials.bearerKey,
        models: modelsOf(cloudModels.bedrockClaude, cloudModels.nova),
      },
    },
    arrived: () => openai.requests.length + anthropic.requests.length + bedrock.arrived.length,
    running: () => all.reduce((sum, fake) => sum + fake.running(), 0),
    async close() {
      await Promise.all(all.map((fake) => fake.close()));
    },
  };
}
