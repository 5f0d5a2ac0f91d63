import { describe, expect, it } from 'vitest';
import { secretsOf } from '../../src/config/secrets.ts';
import { cloudOf, testConfig } from '../http/harness.ts';

describe('the secrets of a configuration', () => {
  it('are found wherever they stand', () => {
    const config = {
      ...testConfig({ apiKeys: ['server-key-1'] }),
      cloud: cloudOf({
        providers: { openai: { api_key: 'openai-key-1', headers: { 'x-tenant': 'Tenant header-secret' } } },
        keys: [{ name: 'kitchen', key: 'kitchen-key-1' }],
      }),
    };
    config.pulls.hubToken = 'hub-token-1';
    expect(new Set(secretsOf(config))).toEqual(
      new Set(['server-key-1', 'hub-token-1', 'openai-key-1', 'Tenant header-secret', 'kitchen-key-1']),
    );
  });
});
