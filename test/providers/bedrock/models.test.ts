import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { foldEvents } from '../../../src/core/events.ts';
import { capabilityTable } from '../../../src/providers/bedrock/capability-table.ts';
import { createModelBook, modelIdFor } from '../../../src/providers/bedrock/model-book.ts';
import { parseModelId } from '../../../src/providers/bedrock/model-ids.ts';
import { anyContext } from '../../support/calls.ts';
import { type FakeBedrock, startFakeBedrock } from '../../support/fake-bedrock/fake-bedrock.ts';
import { bedrockConfig, bedrockOver, claude, modelOf, nova } from '../../support/fake-bedrock/provider.ts';

const account = 'arn:aws:bedrock:eu-west-1:123456789012';

describe('ids of models', () => {
  it.each([
    [claude, claude, 'region', null],
    [`us.${claude}`, claude, 'us', null],
    [`eu.${claude}`, claude, 'eu', null],
    [`apac.${claude}`, claude, 'apac', null],
    [`jp.${claude}`, claude, 'jp', null],
    [`global.${claude}`, claude, 'global', null],
    [`us-gov.${claude}`, claude, 'us-gov', null],
    ['anthropic.claude-opus-4-6-v1', 'anthropic.claude-opus-4-6-v1', 'region', null],
    ['openai.gpt-oss-120b-1:0', 'openai.gpt-oss-120b-1:0', 'region', null],
    [`arn:aws:bedrock:us-east-1::foundation-model/${claude}`, claude, 'region', 'us-east-1'],
    [`${account}:inference-profile/eu.${claude}`, claude, 'eu', 'eu-west-1'],
    [`${account}:application-inference-profile/a1b2c3`, null, 'region', 'eu-west-1'],
    [`${account}:provisioned-model/xyz`, null, 'region', 'eu-west-1'],
    [`arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/${claude}`, claude, 'region', 'us-gov-west-1'],
  ])('%s is %s, in %s of %s', (id, base, scope, region) => {
    expect(parseModelId(id)).toEqual({ id, base, scope, region });
  });

  it.each([
    'qwen2.5-7b',
    'llama-3.2-1b',
    'claude-sonnet-4.5',
    'gpt-4',
    '',
    'arn:aws:s3:::bucket',
    'no-such-model',
    'x.y',
  ])('"%s" is none', (name) => {
    expect(parseModelId(name)).toBeNull();
  });

  it.each([
    ['us-east-1', `us.${claude}`, 'us'],
    ['eu-central-1', `eu.${claude}`, 'eu'],
    ['ap-northeast-1', `jp.${claude}`, 'jp'],
    ['ap-southeast-2', `au.${claude}`, 'au'],
    ['us-gov-west-1', `us-gov.${claude}`, 'us-gov'],
    // A profile of the whole world would take prompts where nobody said that they may go.
    ['sa-east-1', claude, 'sa-east-1'],
  ])('a model that needs a profile stays in the geography of %s', (region, modelId, place) => {
    const book = createModelBook(bedrockConfig());
    expect(modelIdFor(book.choose(claude), region)).toEqual({ modelId, place });
  });

  it('a profile that was named is sent as it is', () => {
    const book = createModelBook(bedrockConfig({ models: [modelOf(`global.${claude}`)] }));
    expect(modelIdFor(book.choose('claude-sonnet-4.5'), 'eu-central-1')).toEqual({
      modelId: `global.${claude}`,
      place: 'global',
    });
    expect(modelIdFor(createModelBook(bedrockConfig()).choose(nova), 'eu-central-1')).toEqual({
      modelId: nova,
      place: 'eu-central-1',
    });
  });
});

describe('models', () => {
  it('of an account that names none are those of the table, by known names and by ids', async () => {
    const book = createModelBook(bedrockConfig({ models: [] }));
    expect(book.nameOf('claude-sonnet-4.5')).toBe('anthropic.claude-sonnet-4-5-20250929-v1:0');
    expect(book.nameOf('claude-haiku-4.5')).toBe('anthropic.claude-haiku-4-5-20251001-v1:0');
    expect(book.nameOf(`us.${claude}`)).toBe(`us.${claude}`);
    expect(book.nameOf('no-such-model')).toBeNull();
    const ids = book.list().map(({ id }) => id);
    expect(ids).toContain(claude);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(parseModelId(id), id).not.toBeNull();
    expect(book.list().find(({ id }) => id === claude)).toMatchObject({
      aliases: ['claude-sonnet-4.5'],
      displayName: 'Claude Sonnet 4.5',
      contextTokens: 200_000,
      maxOutputTokens: 64_000,
      provider: 'aws',
    });
  });

  it('of the configuration are the only ones, aliases before known names', () => {
    const other = 'anthropic.claude-opus-4-5-20251101-v1:0';
    const book = createModelBook(
      bedrockConfig({
        models: [
          modelOf(claude, { contextTokens: 1_000_000 }),
          modelOf(`eu.${other}`, { aliases: ['claude-sonnet-4.5'] }),
        ],
      }),
    );
    expect(book.nameOf('claude-sonnet-4.5')).toBe(`eu.${other}`);
    expect(book.nameOf('claude-haiku-4.5')).toBeNull();
    expect(() => book.choose('amazon.nova-pro-v1:0')).toThrow(
      expect.objectContaining({ code: 'model_not_found', field: 'model' }),
    );
    expect(book.list().map(({ id, contextTokens }) => [id, contextTokens])).toEqual([
      [claude, 1_000_000],
      [`eu.${other}`, 200_000],
    ]);
  });

  it('behind an ARN that hides them are known by an alias that is an id', () => {
    const arn = `${account}:application-inference-profile/a1b2c3`;
    const hidden = createModelBook(bedrockConfig({ models: [modelOf(arn)] })).choose(arn);
    expect(hidden).toMatchObject({ base: null, row: { cache: null, nativeMessages: false }, region: 'eu-west-1' });
    const told = createModelBook(bedrockConfig({ models: [modelOf(arn, { aliases: [claude] })] })).choose(arn);
    expect(told).toMatchObject({ base: claude, row: { nativeMessages: true } });
    expect(modelIdFor(told, 'eu-west-1').modelId).toBe(arn);
  });

  it('can do what the configuration says before what the table says', () => {
    const { choose, capabilities } = createModelBook(
      bedrockConfig({
        capabilities: { supports_vision: false, supports_function_calling: false, structured_output: false },
      }),
    );
    expect(capabilities(claude)).toMatchObject({ tools: false, formats: ['text'] });
    expect(choose(claude).row.reads).toEqual(['document']);
  });

  it('of which the configuration says something alone are as it says', () => {
    const models = [modelOf(claude, { supportsVision: false, supportsTools: false }), modelOf(nova)];
    const { choose } = createModelBook(bedrockConfig({ models }));
    expect(choose(claude).row).toMatchObject({ reads: ['document'], toolChoices: [] });
    expect(choose(nova).row).toMatchObject({ reads: ['image', 'document'], toolChoices: ['auto', 'any', 'tool'] });
  });

  it('that are Claudes take Anthropic’s messages as they come', () => {
    const provider = bedrockOver('http://127.0.0.1:9');
    const relays = (path: string, model: string, dialect: 'anthropic' | 'openai' = 'anthropic') =>
      provider.relays!({ dialect, path }, model);
    expect(relays('/v1/messages', claude)).toBe(true);
    expect(relays('/v1/messages', 'claude-sonnet-4.5')).toBe(true);
    expect(relays('/v1/messages/count_tokens', claude)).toBe(true);
    expect(relays('/v1/messages', nova)).toBe(false);
    expect(relays('/v1/chat/completions', claude, 'openai')).toBe(false);
    expect(relays('/v1/messages/batches', claude)).toBe(false);
    expect(relays('/v1/messages', 'no-such-model')).toBe(false);
  });

  it('have rows that each say where they were read', () => {
    for (const { source, base } of capabilityTable) expect(source, base).toMatch(/20\d\d-\d\d/);
  });

  it('that came after the table get a careful row', () => {
    const { choose } = createModelBook(bedrockConfig({ models: [] }));
    expect(choose('anthropic.claude-next-9').row).toMatchObject({
      thinking: 'adaptive',
      sampling: 'none',
      prefill: false,
      betas: [],
    });
    expect(choose('mistral.something-new-v9:0').row).toMatchObject({ cache: null, reads: [], structuredOutput: false });
  });
});

describe('counting', () => {
  let fake: FakeBedrock;
  beforeAll(async () => {
    fake = await startFakeBedrock();
  });
  beforeEach(() => {
    fake.arrived = [];
    fake.script = [];
    fake.countsFor = null;
  });
  afterAll(() => fake.close());
  const request = (model: string): ChatRequest => ({
    model,
    input: {
      type: 'chat',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      tools: [],
      toolChoice: { type: 'auto' },
    },
    sampling: {},
    stop: [],
  });
  const profile = `eu.${claude}`;

  it('asks by the id as it was given, then by the model’s own, and remembers which one it was', async () => {
    const provider = bedrockOver(fake.baseUrl, { models: [modelOf(profile)] });
    fake.countsFor = new Set([claude]);
    const { promptTokens } = await provider.count(request(profile), anyContext());
    expect(fake.arrived.map(({ modelId }) => modelId)).toEqual([profile, claude]);
    const { usage } = await foldEvents(provider.stream(request(profile), anyContext()));
    expect(promptTokens).toBe(usage.inputTokens);
    fake.arrived = [];
    await provider.count(request(profile), anyContext());
    expect(fake.arrived.map(({ modelId }) => modelId)).toEqual([claude]);
    provider.close();
  });

  it.each([
    ['200', [], [profile], null],
    [
      '400 then 200',
      [{ type: 'refuse', name: 'ValidationException', message: 'does not support counting' } as const],
      [profile, claude],
      null,
    ],
    [
      '403 then 200',
      [{ type: 'refuse', name: 'AccessDeniedException', status: 403 } as const],
      [profile, claude],
      null,
    ],
    [
      '400 and 403',
      [
        { type: 'refuse', name: 'ValidationException', message: 'does not support counting' } as const,
        { type: 'refuse', name: 'AccessDeniedException', status: 403 } as const,
      ],
      [profile, claude],
      'not_supported',
    ],
    [
      '429',
      [{ type: 'refuse', name: 'ThrottlingException', status: 429 } as const],
      [profile],
      'upstream_rate_limited',
    ],
    [
      '400 for the request',
      [{ type: 'refuse', name: 'ValidationException', message: 'bad messages' } as const],
      [profile],
      'upstream_refused',
    ],
  ])('goes down the ladder for %s', async (_name, script, asked, code) => {
    const provider = bedrockOver(fake.baseUrl, { models: [modelOf(profile)] });
    fake.script.push(...script);
    const counted = provider.count(request(profile), anyContext());
    if (code === null) expect((await counted).promptTokens).toBeGreaterThan(0);
    else await expect(counted).rejects.toMatchObject({ code });
    expect(fake.arrived.map(({ modelId }) => modelId)).toEqual(asked);
    provider.close();
  });

  it('does not guess for a model that Bedrock does not count for', async () => {
    const provider = bedrockOver(fake.baseUrl);
    await expect(provider.count(request(nova), anyContext())).rejects.toMatchObject({ code: 'not_supported' });
    expect(fake.arrived).toEqual([]);
    provider.close();
  });

  it('counts a body of Anthropic’s dialect as it came, with a bound that counting needs', async () => {
    const provider = bedrockOver(fake.baseUrl);
    const text = '{"model":"claude-sonnet-4.5","messages":[{"role":"user","content":"hi"}]}';
    const original = {
      dialect: 'anthropic' as const,
      path: '/v1/messages/count_tokens',
      bytes: Buffer.from(text),
      body: JSON.parse(text),
      headers: {},
    };
    await provider.count({ ...request(claude), original, onlyRelayed: true }, anyContext());
    const sent = Buffer.from(fake.arrived[0]!.json.input.invokeModel.body, 'base64').toString('utf8');
    expect(sent).toBe(
      '{"messages":[{"role":"user","content":"hi"}],"anthropic_version":"bedrock-2023-05-31","max_tokens":1024}',
    );
    provider.close();
  });
});

describe('a probe', () => {
  let fake: FakeBedrock;
  beforeAll(async () => {
    fake = await startFakeBedrock();
    return () => fake.close();
  });
  const probe = () => bedrockOver(fake.baseUrl).probe(new AbortController().signal);

  it('generates nothing, and is well when AWS knows us', async () => {
    fake.arrived = [];
    await probe();
    fake.script.push({
      type: 'refuse',
      name: 'ValidationException',
      message: "The provided model doesn't support counting tokens.",
    });
    await probe();
    expect(fake.arrived.map(({ operation }) => operation)).toEqual(['count-tokens', 'count-tokens']);
  });

  it.each([
    ['AccessDeniedException', 403, 'upstream_access_denied'],
    ['ThrottlingException', 429, 'upstream_rate_limited'],
    ['ServiceUnavailableException', 503, 'upstream_overloaded'],
  ])('fails as a request would with %s', async (name, status, code) => {
    fake.script.push({ type: 'refuse', name, status });
    await expect(probe()).rejects.toMatchObject({ code });
  });
});
