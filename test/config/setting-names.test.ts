import { describe, expect, it } from 'vitest';
import { cloudSchemas } from '../../src/config/cloud-settings.ts';
import { changesBetween } from '../../src/config/differences.ts';
import { loadConfig } from '../../src/config/load.ts';
import { settingOf } from '../../src/config/setting-names.ts';
import { allSettings } from '../../src/config/settings.ts';

const config = loadConfig({ flags: {}, env: {}, cwd: '/' });

describe('names of settings in the words of the file', () => {
  const known = new Set(allSettings.map(({ path }) => path.join('.')));

  it.each(Object.entries({ server: config.server, models: config.models, pulls: config.pulls, engine: config.engine }))(
    'exist for every value of %s',
    (section, values) => {
      for (const key of Object.keys(values))
        expect(known, `${section}.${key}`).toContain(settingOf(`${section}.${key}`));
    },
  );

  it('exist for every value of the sections of other services', () => {
    const ofGlobal = Object.keys(cloudSchemas.global.shape).map((key) => `global.${key}`);
    const tops = Object.keys(cloudSchemas);
    for (const key of Object.keys(config.cloud)) {
      const name = settingOf(`cloud.${key}.x.y`);
      expect(tops, key).toContain(name.split('.')[0]);
      if (name.startsWith('global.')) expect(ofGlobal, key).toContain(name);
    }
  });

  it.each([
    ['dataFolder', 'data_folder'],
    ['log.level', 'log.level'],
    ['models.aliases.qwen', 'models.aliases'],
    ['cloud.retries.maxAttempts', 'global.max_retries'],
    ['cloud.caching.ttlSeconds', 'global.cache_ttl'],
    ['cloud.providers.openai.models.0.contextTokens', 'providers.openai.models'],
    ['cloud.providers.openai.timeouts.idleMs', 'providers.openai.idle_timeout'],
    ['cloud.providers.openai.timeouts.totalMs', 'providers.openai.timeout'],
    ['cloud.chains.premium.providers.0', 'failover_chains.premium'],
    ['cloud.keyBudget.daily', 'budgets.per_key.daily'],
    ['cloud.rateLimits.perKey.requestsPerMinute', 'rate_limits.per_key.requests_per_minute'],
    ['cloud.keys.0.name', 'keys'],
  ])('%s is %s', (path, name) => {
    expect(settingOf(path)).toBe(name);
  });

  it('of a change are told once, and not those of a provider that came', () => {
    const provider = { id: 'openai', displayName: 'x', enabled: true } as never;
    const after = {
      ...config,
      cloud: { ...config.cloud, requestTimeoutMs: 1, providers: new Map([['openai', provider]]) },
    };
    expect(changesBetween(config, after)).toEqual({
      providersAdded: ['openai'],
      providersRemoved: [],
      settingsChanged: ['global.request_timeout'],
      needRestart: [],
    });
  });
});
