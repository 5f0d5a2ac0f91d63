import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptAnswerRequest } from '../../../src/core/provider.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../../support/fake-openai/fake-openai.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { providerConfig } from '../../support/provider-config.ts';

let fake: FakeOpenAi;
beforeEach(async () => {
  fake = await startFakeOpenAi();
});
afterEach(() => fake.close());

const providerOf = (preset: 'openai' | 'deepseek') =>
  createOpenAiCompatibleProvider({ config: providerConfig({ preset, baseUrl: fake.baseUrl }), clock: manualClock() });
const ask = (request: Omit<KeptAnswerRequest, 'dialect'>) =>
  providerOf('openai').askKept!({ dialect: 'openai', ...request }, anyContext());
const textOf = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString();

describe('a response that the service keeps', () => {
  it.each([
    ['get', '/v1/responses/resp_1?include[]=a'],
    ['get', '/v1/responses/resp_1/input_items?limit=2'],
    ['post', '/v1/responses/resp_1/cancel'],
    ['delete', '/v1/responses/resp_1'],
  ] as const)('is asked about by %s %s with the key, and the answer comes in its own bytes', async (method, path) => {
    fake.play({ type: 'answer', status: 200, body: '{ "id":  "resp_1" }' });
    const answer = await ask({ method, path, isStream: false });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    expect(textOf(await collect(answer.bytes))).toBe('{ "id":  "resp_1" }');
    expect(fake.requests).toMatchObject([
      {
        method: method.toUpperCase(),
        path: path.replace('[]', '%5B%5D'),
        headers: { authorization: 'Bearer sk-canary' },
      },
    ]);
  });

  it('fails as the service words it', async () => {
    fake.play({ type: 'error', status: 404, message: 'No response' });
    await expect(ask({ method: 'get', path: '/v1/responses/resp_1', isStream: false })).rejects.toMatchObject({
      upstream: { status: 404, body: { error: { message: 'No response' } } },
    });
  });

  it('comes as a stream in whole records, and throws where that breaks', async () => {
    const record = 'event: x\ndata: {"type":"x","sequence_number":1}\n\n';
    fake.play({ type: 'answer', status: 200, contentType: 'text/event-stream', body: `${record}${record}data: {"ha` });
    const answer = await ask({ method: 'get', path: '/v1/responses/resp_1?stream=true', isStream: true });
    expect(textOf(await collect(answer.bytes))).toBe(record + record);
  });

  it('is nothing that a service without responses has', () => {
    expect(providerOf('deepseek').askKept).toBeUndefined();
  });
});
