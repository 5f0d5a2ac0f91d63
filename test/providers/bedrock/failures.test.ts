import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { textOf } from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { foldEvents, isContent, isRelay, type ProviderEvent } from '../../../src/core/events.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { createBedrockProvider } from '../../../src/providers/bedrock/bedrock.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import {
  type FakeBedrock,
  type Fault,
  fakeCredentials,
  startFakeBedrock,
} from '../../support/fake-bedrock/fake-bedrock.ts';
import { bedrockConfig, bedrockOver, claude, nova } from '../../support/fake-bedrock/provider.ts';
import { type ManualClock, manualClock } from '../../support/manual-clock.ts';

const translated: ChatRequest = {
  model: nova,
  input: {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    tools: [],
    toolChoice: { type: 'auto' },
  },
  sampling: {},
  stop: [],
};

const body = { model: 'claude-sonnet-4.5', max_tokens: 50, stream: true, messages: [{ role: 'user', content: 'hi' }] };
const relayed: ChatRequest = {
  ...translated,
  model: claude,
  original: {
    dialect: 'anthropic',
    path: '/v1/messages',
    bytes: Buffer.from(JSON.stringify(body)),
    body,
    headers: { 'anthropic-version': '2023-06-01' },
  },
};
const ways = [
  ['translated', translated],
  ['relayed', relayed],
] as const;

/** What came until it ended, and why it did; null: it ended well. */
async function outcome(
  events: AsyncIterable<ProviderEvent>,
): Promise<{ seen: ProviderEvent[]; error: AppError | null }> {
  const seen: ProviderEvent[] = [];
  try {
    for await (const event of events) seen.push(event);
    return { seen, error: null };
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return { seen, error: error as AppError };
  }
}

describe.each(['http/1.1', 'h2'] as const)('over %s', (protocol) => {
  let fake: FakeBedrock;
  let clock: ManualClock;
  let provider: ReturnType<typeof bedrockOver>;
  beforeAll(async () => {
    fake = await startFakeBedrock(protocol);
  });
  beforeEach(() => {
    fake.script = [];
    fake.arrived = [];
    clock = manualClock();
    provider = bedrockOver(fake.baseUrl, {}, { clock, protocol });
    return () => provider.close();
  });
  afterAll(() => fake.close());

  const ask = (request: ChatRequest, ...faults: Fault[]) => {
    fake.script.push(...faults);
    return provider.stream(request, anyContext());
  };

  const exceptions = [
    ['throttlingException', 'upstream_rate_limited'],
    ['modelStreamErrorException', 'upstream_unavailable'],
    ['internalServerException', 'upstream_unavailable'],
    ['serviceUnavailableException', 'upstream_overloaded'],
    ['validationException', 'upstream_refused'],
    ['modelTimeoutException', 'upstream_timeout'],
  ] as const;
  const places = [
    ['before anything', 0],
    ['before the first content', 1],
    ['after the first content', 4],
  ] as const;

  it.each(
    exceptions.flatMap(([name, code]) =>
      places.flatMap(([place, after]) => ways.map(([way, request]) => ({ name, code, place, after, way, request }))),
    ),
  )(
    'an exception frame $name $place of a $way answer is $code, by its name',
    async ({ name, code, after, request }) => {
      // The frame says what it likes of a status.
      const fields = { originalStatusCode: 400, originalMessage: 'status 400' };
      const { seen, error } = await outcome(ask(request, { type: 'exception', name, afterFrames: after, fields }));
      expect(error).toMatchObject({ code });
      expect(seen.some(isContent)).toBe(after > 1);
      expect(seen.map(({ type }) => type)).not.toContain('finish');
      await expect.poll(fake.running).toBe(0);
    },
  );

  it('an exception with a name that nobody knows is a failure of the service', async () => {
    const { error } = await outcome(
      ask(translated, { type: 'exception', name: 'somethingNewException', afterFrames: 2 }),
    );
    expect(error).toMatchObject({ code: 'upstream_unavailable' });
  });

  it.each(ways)('a refused request (%s) ends at once with its words', async (_way, request) => {
    const message = 'thinking.budget_tokens: not supported by this model';
    const fault: Fault = { type: 'exception', name: 'validationException', afterFrames: 0, message };
    const { error } = await outcome(ask(request, fault));
    expect(error).toMatchObject({ code: 'upstream_refused', message, retryable: false, mayFailOver: false });
  });

  const answers: [string, number, string, string][] = [
    ['ThrottlingException', 429, 'Too many requests, please wait.', 'upstream_rate_limited'],
    ['ThrottlingException', 429, 'Too many tokens, please wait before trying again.', 'upstream_rate_limited'],
    [
      'ThrottlingException',
      429,
      'Too many tokens per day, please wait before trying again.',
      'upstream_quota_exceeded',
    ],
    ['ServiceQuotaExceededException', 400, 'You have exceeded a quota.', 'upstream_quota_exceeded'],
    ['ServiceUnavailableException', 503, 'Bedrock is unable to process your request.', 'upstream_overloaded'],
    ['InternalServerException', 500, 'The system encountered an unexpected error.', 'upstream_unavailable'],
    ['ModelNotReadyException', 429, 'The model is warming up.', 'upstream_overloaded'],
    ['ModelTimeoutException', 408, 'The model took too long.', 'upstream_timeout'],
    ['ModelErrorException', 424, 'The model failed.', 'upstream_unavailable'],
    ['ValidationException', 400, 'messages: field required', 'upstream_refused'],
    ['ValidationException', 400, 'Input is too long for requested model.', 'context_length_exceeded'],
    ['ValidationException', 400, 'prompt is too long: 210000 tokens > 200000 maximum', 'context_length_exceeded'],
    ['ValidationException', 400, 'The provided model identifier is invalid.', 'upstream_access_denied'],
    [
      'ValidationException',
      400,
      'Invocation of model ID x with on-demand throughput isn’t supported. Retry with an inference profile.',
      'upstream_access_denied',
    ],
    [
      'AccessDeniedException',
      403,
      'User: arn:aws:iam::123456789012:user/me is not authorized',
      'upstream_access_denied',
    ],
    ['ResourceNotFoundException', 404, 'Could not resolve the foundation model', 'upstream_access_denied'],
    ['ExpiredTokenException', 403, 'The security token included in the request is expired', 'upstream_access_denied'],
    ['TooNewException', 418, 'something new', 'upstream_refused'],
    ['TooNewException', 500, 'something new', 'upstream_unavailable'],
  ];
  it.each(answers)('%s (%d, "%s") is %s', async (name, status, message, code) => {
    const { error } = await outcome(ask(translated, { type: 'refuse', name, status, message }));
    expect(error).toMatchObject({ code });
    expect(fake.arrived).toHaveLength(1);
  });

  it('tokens of a day that are used up are not tried again, and another provider may be asked', async () => {
    for (const message of ['Too many tokens per day, please wait before trying again.', 'Daily token quota reached.']) {
      fake.arrived = [];
      const { error } = await outcome(
        ask(translated, { type: 'refuse', name: 'ThrottlingException', status: 429, message }),
      );
      expect(error).toMatchObject({ retryable: false, mayFailOver: true });
      expect(fake.arrived).toHaveLength(1);
    }
  });

  it('says how long to wait, where AWS does', async () => {
    const fault: Fault = { type: 'refuse', name: 'ThrottlingException', status: 429, headers: { 'retry-after': '7' } };
    expect((await outcome(ask(translated, fault))).error).toMatchObject({ retryAfterSeconds: 7, retryable: true });
    const { error } = await outcome(ask(translated, { ...fault, headers: {} }));
    expect(error!.retryAfterSeconds).toBeNull();
  });

  it('names the profile as the way out where a model needs one', async () => {
    const message = 'Invocation with on-demand throughput isn’t supported';
    const { error } = await outcome(ask(translated, { type: 'refuse', name: 'ValidationException', message }));
    expect(error!.fix).toContain('inference profile');
  });

  it('tells a client of Claude’s dialect in its own envelope, with the words as they were', async () => {
    const message = 'prompt is too long: 210000 tokens > 200000 maximum';
    const prefixed = `The model returned the following errors: ${message}`;
    const { error } = await outcome(ask(relayed, { type: 'refuse', name: 'ValidationException', message: prefixed }));
    expect(error).toMatchObject({ code: 'context_length_exceeded', message });
    expect(error!.upstream).toEqual({
      provider: 'aws',
      dialect: 'anthropic',
      status: 400,
      headers: { 'request-id': 'aws-request-1' },
      body: { type: 'error', error: { type: 'invalid_request_error', message }, request_id: 'aws-request-1' },
    });
  });

  it.each([
    ['a page of a proxy', { status: 502, body: '<html><body>Bad   Gateway</body></html>' }, 'Bad Gateway'],
    ['a page with a client’s status', { status: 403, body: '<h1>Blocked</h1>' }, 'Blocked'],
    ['nothing', { status: 500, body: '' }, 'an empty body'],
    ['broken JSON', { status: 500, body: '{"message": "oo', contentType: 'application/json' }, 'cannot be understood'],
    ['a page with a status of success', { status: 200, body: '<h1>Welcome</h1>' }, 'Welcome'],
  ])('%s in place of AWS’s answer is wrapped', async (_name, page, excerpt) => {
    const { error } = await outcome(ask(translated, { type: 'page', ...page }));
    expect(error).toMatchObject({ code: 'upstream_unavailable', mayFailOver: true });
    expect(error!.message).toContain(excerpt);
  });

  it.each(ways)('a connection that is gone (%s) is upstream_unavailable', async (_way, request) => {
    const { error } = await outcome(ask(request, { type: 'reset' }));
    expect(error).toMatchObject({ code: 'upstream_unavailable' });
  });

  it.each(ways)('a stream (%s) that is cut anywhere ends with an error and never hangs', async (_way, request) => {
    const whole = await outcome(ask(request));
    expect(whole.error).toBeNull();
    let finished = 0;
    for (let bytes = 0; bytes < 6000; bytes += protocol === 'h2' ? 97 : 17) {
      for (const cleanly of [true, false]) {
        const { seen, error } = await outcome(ask(request, { type: 'cut', bytes, cleanly }));
        const isWhole = seen.some(({ type }) => type === 'finish');
        finished += Number(isWhole);
        // Whatever was said before is a beginning of what would have been said.
        const texts = (events: ProviderEvent[]) =>
          events.map((event) => (event.type === 'text-delta' ? event.text : '')).join('');
        expect(texts(whole.seen).startsWith(texts(seen))).toBe(true);
        if (!isWhole) expect(error).toMatchObject({ code: 'upstream_unavailable' });
      }
    }
    expect(finished).toBeGreaterThan(0);
    await expect.poll(fake.running).toBe(0);
  });

  it.each(ways)('a stream (%s) in single bytes says the same', async (_way, request) => {
    const whole = await outcome(ask(request));
    const split = await outcome(ask(request, { type: 'split', bytes: 1 }));
    expect(split).toEqual(whole);
  });

  it('a frame with a wrong checksum ends the answer', async () => {
    const { seen, error } = await outcome(ask(translated, { type: 'broken-frame', frame: 4 }));
    expect(error).toMatchObject({ code: 'upstream_unavailable' });
    expect(seen.some(isContent)).toBe(true);
  });

  it('chunks that hold no JSON end the answer', async () => {
    const { error } = await outcome(ask(relayed, { type: 'events', events: ['<html>'] }));
    expect(error).toMatchObject({ code: 'upstream_unavailable', message: expect.stringContaining('<html>') });
  });

  it.each(ways)('nobody waits longer for a first byte (%s) than is configured', async (_way, request) => {
    const waiting = outcome(ask(request, { type: 'silence' }));
    await expect.poll(() => fake.arrived.length).toBe(1);
    clock.advance(60_000);
    const { error } = await waiting;
    expect(error).toMatchObject({ code: 'upstream_timeout', details: { waited_for: 'first_byte' } });
    await expect.poll(fake.running).toBe(0);
  });

  it.each(ways)('nor between two pieces (%s)', async (_way, request) => {
    const seen: ProviderEvent[] = [];
    const reading = (async () => {
      for await (const event of ask(request, { type: 'stall', afterFrames: 4 })) seen.push(event);
    })().catch((error: unknown) => error);
    await expect.poll(() => seen.filter(isContent).length).toBeGreaterThan(1);
    // The wait for the next piece begins after the last one was taken.
    await new Promise(setImmediate);
    clock.advance(60_000);
    expect(await reading).toMatchObject({ code: 'upstream_timeout', details: { waited_for: 'next_piece' } });
    await expect.poll(fake.running).toBe(0);
  });

  it('the error event of a relayed stream is a failure, and is not passed on by itself', async () => {
    const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    const { seen, error } = await outcome(ask(relayed, { type: 'events', events: [overloaded] }));
    expect(seen.filter(isRelay)).toEqual([]);
    expect(error).toMatchObject({ code: 'upstream_overloaded', upstream: { dialect: 'anthropic', body: overloaded } });
  });

  it('an answer that its provider could not read is its failure', async () => {
    for (const stopReason of ['malformed_model_output', 'malformed_tool_use']) {
      const events = [
        ['messageStart', { role: 'assistant' }],
        ['messageStop', { stopReason }],
        ['metadata', { usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }, metrics: { latencyMs: 1 } }],
      ];
      const { error } = await outcome(ask(translated, { type: 'events', events }));
      expect(error).toMatchObject({ code: 'upstream_unavailable', message: expect.stringContaining(stopReason) });
    }
  });

  it('a hundred aborts at any event leave nothing behind', async () => {
    const reason = new AppError('client_closed_request', 'gone');
    for (let round = 0; round < 100; round++) {
      const leaving = new AbortController();
      let left = round % 17;
      const reading = async () => {
        const [, request] = ways[round % 2]!;
        for await (const _event of provider.stream(request, anyContext({ signal: leaving.signal }))) {
          if (left-- === 0) leaving.abort(reason);
        }
      };
      await reading().catch((error: unknown) => expect(error).toBe(reason));
    }
    await expect.poll(fake.running).toBe(0);
    expect(textOf((await foldEvents(ask(translated))).choices[0].blocks)).toContain('sea');
  });
});

describe('a provider that another one has taken the place of', () => {
  it.each(['http/1.1', 'h2'] as const)(
    'lets its last answer end, and then closes its connections (%s)',
    async (protocol) => {
      const fake = await startFakeBedrock(protocol);
      const provider = bedrockOver(fake.baseUrl, {}, { protocol });
      await collect(provider.stream(translated, anyContext()));
      const events = provider.stream(translated, anyContext())[Symbol.asyncIterator]();
      await events.next();
      provider.retire();
      expect(fake.sockets()).toBeGreaterThan(0);
      let last: string | undefined;
      for (let next = await events.next(); !next.done; next = await events.next()) last = next.value.type;
      expect(last).toBe('finish');
      await expect.poll(() => fake.sockets()).toBe(0);
      // A request that began before may try again.
      expect((await collect(provider.stream(translated, anyContext()))).at(-1)).toMatchObject({ type: 'finish' });
      await expect.poll(() => fake.sockets()).toBe(0);
      await fake.close();
    },
  );
});

describe('credentials', () => {
  const secret = (value: string) => ({ reveal: () => value });
  let fake: FakeBedrock;
  beforeAll(async () => {
    fake = await startFakeBedrock();
    return () => fake.close();
  });

  it('are signed with by SigV4, configured headers included', async () => {
    const provider = bedrockOver(fake.baseUrl, { headers: { 'X-Tenant': secret('blue') } });
    await collect(provider.stream(translated, anyContext()));
    const { headers } = fake.arrived.at(-1)!;
    expect(headers['authorization']).toContain('SignedHeaders=');
    expect(headers['authorization']).toContain('x-tenant');
    expect(headers['x-tenant']).toBe('blue');
    provider.close();
  });

  it('are a bearer key where one is configured', async () => {
    const provider = bedrockOver(fake.baseUrl, { apiKey: secret(fakeCredentials.bearerKey) });
    await collect(provider.stream(translated, anyContext()));
    expect(fake.arrived.at(-1)!.headers['authorization']).toBe(`Bearer ${fakeCredentials.bearerKey}`);
    provider.close();
  });

  it('that are wrong are named as ours, and shown nowhere', async () => {
    const canary = 'canary-key-4711';
    const provider = bedrockOver(fake.baseUrl, { apiKey: secret(canary) });
    const { error } = await outcome(provider.stream(translated, anyContext()));
    expect(error).toMatchObject({ code: 'upstream_access_denied', mayFailOver: true, retryable: false });
    const shown = [error!.message, JSON.stringify(error!.toWire()), deepText(error)].join();
    expect(shown).not.toContain(canary);
    // AWS names accounts and users of ours.
    expect(JSON.stringify(error!.toWire())).not.toContain('123456789012');
    provider.close();
  });

  describe('of AWS’s own chain', () => {
    const alone = { AWS_CONFIG_FILE: '/none', AWS_SHARED_CREDENTIALS_FILE: '/none', AWS_EC2_METADATA_DISABLED: 'true' };
    const names = [
      'AWS_REGION',
      'AWS_PROFILE',
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_BEARER_TOKEN_BEDROCK',
    ];
    const askAs = async (environment: Record<string, string>, region: string | null = fakeCredentials.region) => {
      for (const name of names) vi.stubEnv(name, undefined);
      for (const [name, value] of Object.entries({ ...alone, ...environment })) vi.stubEnv(name, value);
      const config = bedrockConfig({ baseUrl: fake.baseUrl, region });
      const chained = createBedrockProvider({ config, clock: systemClock, log: createLogger('silent') });
      try {
        return await outcome(chained.stream(translated, anyContext()));
      } finally {
        chained.close();
        vi.unstubAllEnvs();
      }
    };
    const { accessKeyId, secretAccessKey, bearerKey, region } = fakeCredentials;
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };

    it('are found there, the region too', async () => {
      expect((await askAs(keys)).error).toBeNull();
      expect((await askAs({ ...keys, AWS_REGION: region }, null)).error).toBeNull();
      expect(fake.arrived.at(-1)!.headers['authorization']).toContain(`/${region}/bedrock/`);
    });

    it('are a bearer key where the chain has one', async () => {
      expect((await askAs({ AWS_BEARER_TOKEN_BEDROCK: bearerKey })).error).toBeNull();
      expect(fake.arrived.at(-1)!.headers['authorization']).toBe(`Bearer ${bearerKey}`);
    });

    it('that are not there are a failure of the configuration, and so is a region', async () => {
      expect((await askAs({})).error).toMatchObject({ code: 'upstream_access_denied', retryable: false });
      const { error } = await askAs(keys, null);
      expect(error).toMatchObject({ code: 'upstream_access_denied', fix: expect.stringContaining('region') });
    });
  });
});

/** Everything that a logger could find on an error, causes included. */
function deepText(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (seen.has(value)) return '';
  seen.add(value);
  return Object.getOwnPropertyNames(value)
    .map((name) => deepText((value as Record<string, unknown>)[name], seen))
    .join('\n');
}
