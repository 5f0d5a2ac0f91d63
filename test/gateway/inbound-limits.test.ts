import { describe, expect, it } from 'vitest';
import { anonymous, type Principal, type RateLimits } from '../../src/core/call.ts';
import { createInboundLimits } from '../../src/gateway/inbound-limits.ts';
import { manualClock } from '../support/manual-clock.ts';

const none: RateLimits = { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null };
const principal = (id: string, changes: Partial<Principal> = {}): Principal => ({
  ...anonymous,
  id,
  name: id,
  ...changes,
});

function setup(perKey: Partial<RateLimits>, perAddress: Partial<RateLimits> = {}) {
  const clock = manualClock();
  const limits = { perKey: { ...none, ...perKey }, perAddress: { ...none, ...perAddress } };
  return { clock, limits, inbound: createInboundLimits({ clock, limits: () => limits }) };
}

describe('limits of what is taken from clients', async () => {
  it('are those of each key for itself', async () => {
    const { inbound, clock } = setup({ requestsPerMinute: 2 });
    const [anna, ben] = [principal('anna'), principal('ben')];
    await inbound.admit(anna, 0);
    clock.advance(10_000);
    await inbound.admit(anna, 0);
    await inbound.admit(ben, 0);
    await expect(inbound.admit(anna, 0)).rejects.toThrow(
      expect.objectContaining({
        code: 'rate_limited',
        message: 'Rate limit exceeded: 2 requests in a minute for this key.',
        retryAfterSeconds: 50,
        details: {
          remaining: { requests_remaining_minute: 0, reset_at_minute: Date.parse('2026-01-01T00:01:10Z') / 1_000 },
        },
      }),
    );
    clock.advance(50_000);
    await inbound.admit(anna, 0);
  });

  it('of a key itself count in place of those of all keys', async () => {
    const { inbound } = setup({ requestsPerMinute: 1 });
    const own = principal('anna', { rateLimits: { ...none, requestsPerDay: 3 } });
    for (let number = 0; number < 3; number++) await inbound.admit(own, 0);
    await expect(inbound.admit(own, 0)).rejects.toThrow(/3 requests in a day/);
    expect(inbound.status(own)).toMatchObject({ requestsPerMinute: null, requestsPerDay: { limit: 3, remaining: 0 } });
  });

  it('of addresses count for all keys there, and where there are no keys', async () => {
    const { inbound } = setup({}, { requestsPerMinute: 2 });
    const at = (id: string, address: string) => principal(id, { address });
    await inbound.admit(at('anna', '192.168.1.5'), 0);
    await inbound.admit(at('anonymous', '::ffff:192.168.1.5'), 0);
    await expect(inbound.admit(at('ben', '192.168.1.5'), 0)).rejects.toThrow(/for this address/);
    await inbound.admit(at('ben', '192.168.1.6'), 0);
  });

  it('of addresses take a network of IPv6 for one', async () => {
    const { inbound } = setup({}, { requestsPerMinute: 1 });
    await inbound.admit(principal('a', { address: '2001:db8:0:1::5' }), 0);
    await expect(inbound.admit(principal('a', { address: '2001:0db8::1:ffff:0:0:9' }), 0)).rejects.toThrow(/address/);
    await inbound.admit(principal('a', { address: '2001:db8:0:2::5' }), 0);
    await inbound.admit(principal('a', { address: '::1' }), 0);
  });

  it('take of key and address both or neither', async () => {
    const { inbound } = setup({ requestsPerMinute: 1 }, { requestsPerMinute: 3 });
    const anna = principal('anna', { address: '10.0.0.1' });
    await inbound.admit(anna, 0);
    await expect(inbound.admit(anna, 0)).rejects.toThrow(/key/);
    // Had the refused one counted, there were one left.
    await inbound.admit(principal('ben', { address: '10.0.0.1' }), 0);
    await inbound.admit(principal('cleo', { address: '10.0.0.1' }), 0);
    await expect(inbound.admit(principal('dora', { address: '10.0.0.1' }), 0)).rejects.toThrow(/address/);
  });

  it('hold an estimate of the tokens until it is known what they were', async () => {
    const { inbound } = setup({ tokensPerMinute: 100 });
    const anna = principal('anna');
    const first = await inbound.admit(anna, 80);
    await expect(inbound.admit(anna, 30)).rejects.toThrow(/100 tokens in a minute/);
    first.settle(20);
    (await inbound.admit(anna, 80)).settle(null);
    expect(inbound.status(anna)!.tokensPerMinute).toEqual({ limit: 100, remaining: 0, resetMs: 60_000 });
  });

  it('tell the one that leaves least, and nothing where there are none', async () => {
    const { inbound, limits } = setup({ requestsPerMinute: 10 }, { requestsPerMinute: 5, tokensPerMinute: 50 });
    const anna = principal('anna', { address: '10.0.0.1' });
    await inbound.admit(anna, 10);
    expect(inbound.status(anna)).toEqual({
      requestsPerMinute: { limit: 5, remaining: 4, resetMs: 60_000 },
      tokensPerMinute: { limit: 50, remaining: 40, resetMs: 60_000 },
      requestsPerDay: null,
    });
    Object.assign(limits, { perKey: none, perAddress: none });
    expect(inbound.status(anna)).toBeNull();
  });

  it('are exact for many at once, and free again when time has passed', async () => {
    const { inbound, clock } = setup({ requestsPerMinute: 100, requestsPerDay: 150 });
    const anna = principal('anna');
    const passed = async () => {
      let count = 0;
      for (let number = 0; number < 5_000; number++) {
        try {
          await inbound.admit(anna, 1);
          count++;
        } catch {
          // Refused.
        }
      }
      return count;
    };
    expect(await passed()).toBe(100);
    clock.advance(60_000);
    expect(await passed()).toBe(50);
    clock.advance(86_400_000);
    expect(await passed()).toBe(100);
  });
});
