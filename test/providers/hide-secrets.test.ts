import { describe, expect, it } from 'vitest';
import { secret } from '../../src/config/secret.ts';
import { AppError } from '../../src/core/errors.ts';
import { hidingSecrets } from '../../src/providers/hide-secrets.ts';
import { anyContext } from '../support/calls.ts';
import { collect } from '../support/collect.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const key = 'sk-1234567890';
const config = { apiKey: secret(key), headers: { authorization: secret('Bearer inner-token') } };
const request = { model: 'm', input: { type: 'text' as const, prompt: 'x' }, sampling: {}, stop: [] };

const thrownBy = async (error: unknown, settings = config) => {
  const provider = hidingSecrets(scriptedProvider([error as Error]), settings);
  return collect(provider.stream(request, anyContext())).then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  );
};

describe('a failure of a provider', () => {
  it('shows no key in its text, its details, the words of the service or its cause', async () => {
    const error = new AppError('upstream_rate_limited', `no: ${key}`, {
      retryAfterSeconds: 7,
      field: 'model',
      details: { provider: 'p', list: [`x ${key}`], [key]: 1 },
      upstream: {
        provider: 'p',
        dialect: 'openai',
        status: 429,
        headers: { 'x-echo': key },
        body: { error: { message: 'Bearer inner-token' } },
      },
      cause: Object.assign(new Error('cause'), { request: { headers: { authorization: key } } }),
    });
    const thrown = (await thrownBy(error)) as AppError;
    expect(thrown).toMatchObject({
      code: 'upstream_rate_limited',
      message: 'no: [redacted]',
      retryAfterSeconds: 7,
      field: 'model',
      details: { provider: 'p', list: ['x [redacted]'], '[redacted]': 1 },
      upstream: { status: 429, headers: { 'x-echo': '[redacted]' }, body: { error: { message: '[redacted]' } } },
    });
    expect((thrown.cause as Error).message).toContain('[redacted]');
    expect((thrown.cause as Error).message).not.toContain(key);
  });

  it('stays the very one where it shows none, and where a key is too short to be told from a word', async () => {
    const plain = new AppError('upstream_unavailable', 'no', { details: { a: 1 }, cause: new Error('why') });
    expect(await thrownBy(plain)).toBe(plain);
    const short = new AppError('upstream_unavailable', 'no');
    expect(await thrownBy(short, { apiKey: secret('no'), headers: {} as never })).toBe(short);
    const reason = new Error(`an abort ${key}`);
    expect(await thrownBy(reason)).toBe(reason);
  });

  it('is the same of whatever comes whole', async () => {
    const failing = async () => {
      throw new AppError('upstream_unavailable', key);
    };
    const all = { embed: failing, rank: failing, decide: failing, count: failing, tokens: failing, models: failing };
    const provider = hidingSecrets(scriptedProvider([], { ...all, probe: failing }), config);
    for (const call of [...Object.keys(all), 'probe'] as const) {
      const asked = (provider as unknown as Record<string, () => Promise<unknown>>)[call]!();
      await expect(asked).rejects.toMatchObject({ message: '[redacted]' });
    }
  });
});

describe('a reader that turns away', () => {
  it('ends the provider, also before it has begun', async () => {
    const ends: string[] = [];
    const iterator = {
      next: async () => ({ done: false, value: { type: 'text-start', blockId: 0 } as const }),
      return: async () => {
        ends.push('ended');
        return { done: true as const, value: undefined };
      },
    };
    const stream = () => ({ [Symbol.asyncIterator]: () => iterator });
    const provider = hidingSecrets(scriptedProvider([], { stream }), config);
    for await (const _event of provider.stream(request, anyContext())) break;
    await provider.stream(request, anyContext())[Symbol.asyncIterator]().return?.();
    expect(ends).toEqual(['ended', 'ended']);
  });
});
