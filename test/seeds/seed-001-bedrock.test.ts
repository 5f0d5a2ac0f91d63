import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, sseData } from '../http/harness.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { type FakeBedrock, startFakeBedrock } from '../support/fake-bedrock/fake-bedrock.ts';
import { bedrockOver } from '../support/fake-bedrock/provider.ts';
import { expectPrinted } from './printed.ts';

let fake: FakeBedrock;
let harness: Harness;
beforeAll(async () => {
  fake = await startFakeBedrock();
  const configured = cloudConfigOf('providers: { aws: { type: bedrock, region: eu-central-1 } }');
  harness = await createHarness({}, {}, [bedrockOver(fake.baseUrl, { models: [] })], configured);
});
afterAll(async () => {
  await harness.close();
  await fake.close();
});

const messages = [{ role: 'user', content: 'Hello!' }];
const names = [
  ['claude-sonnet-4.5', 'anthropic.claude-sonnet-4-5-20250929-v1:0'],
  ['claude-haiku-4.5', 'anthropic.claude-haiku-4-5-20251001-v1:0'],
] as const;

describe('the first seed specification, with Bedrock as its provider', () => {
  it.each(names)('answers by %s, which is %s there', async (model, id) => {
    const response = await harness.send('POST', '/v1/chat/completions', { model, messages, max_tokens: 20 });
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), {
      id: 'chatcmpl-123',
      object: 'chat.completion',
      created: 1705593600,
      model,
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hello!' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 },
    });
    expect(response.headers['x-provider-used']).toBe('aws');
    expect(fake.arrived.at(-1)!.modelId).toContain(id);
  });

  it('streams by those names', async () => {
    const response = await harness.send('POST', '/v1/chat/completions', { model: names[0][0], messages, stream: true });
    const records = sseData(response.body);
    expect(records.at(-1)).toBe('[DONE]');
    expectPrinted(JSON.parse(records[0]!), { id: 'chatcmpl-123', object: 'chat.completion.chunk' });
  });

  it('lists the models by their ids there', async () => {
    const { data } = (await harness.send('GET', '/v1/models')).json();
    const listed = data.filter(({ owned_by }: { owned_by: string }) => owned_by === 'aws');
    for (const [, id] of names) {
      const found = listed.find((one: { id: string }) => one.id.endsWith(id));
      expect(found, id).toMatchObject({ object: 'model' });
    }
  });

  it('is connected, which its health says', async () => {
    expectPrinted((await harness.send('GET', '/health')).json(), { status: 'healthy', aws: 'connected' });
    expect((await harness.send('GET', '/health')).json().aws).toBe('connected');
  });
});
