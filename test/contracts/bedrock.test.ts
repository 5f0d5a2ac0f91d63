import { startFakeBedrock } from '../support/fake-bedrock/fake-bedrock.ts';
import { bedrockOver, claude, nova } from '../support/fake-bedrock/provider.ts';
import { runProviderContract } from './provider.contract.ts';

for (const [name, model, protocol] of [
  ['a Claude on Bedrock, over HTTP/1.1', claude, 'http/1.1'],
  ['a Claude on Bedrock, over HTTP/2', claude, 'h2'],
  ['a model of Converse, over HTTP/1.1', nova, 'http/1.1'],
  ['a model of Converse, over HTTP/2', nova, 'h2'],
] as const) {
  runProviderContract(name, async () => {
    const fake = await startFakeBedrock(protocol);
    const provider = bedrockOver(fake.baseUrl, {}, { protocol });
    return {
      provider,
      model,
      running: async () => fake.running(),
      async close() {
        provider.close();
        await fake.close();
      },
    };
  });
}
