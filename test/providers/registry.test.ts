import { describe, expect, it } from 'vitest';
import type { ProviderConfig } from '../../src/config/providers.ts';
import type { Provider } from '../../src/core/provider.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createProviders, type ProviderFactories, routingOf } from '../../src/providers/registry.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { createFakeEngine } from '../support/fake-engine.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

function setup(text: string) {
  const made: ProviderConfig[] = [];
  const retired: string[] = [];
  const make = ({ config }: { config: ProviderConfig }): Provider => {
    if (config.displayName === 'broken') throw new Error('cannot be built');
    made.push(config);
    const status = () =>
      config.enabled
        ? ({ state: 'ready', reason: null } as const)
        : ({ state: 'unavailable', reason: 'It is switched off.' } as const);
    return scriptedProvider([], { id: config.id, status, retire: () => void retired.push(config.id) });
  };
  const factories: ProviderFactories = { anthropic: make, bedrock: make, 'openai-compatible': make };
  const providers = createProviders({
    engine: createFakeEngine(),
    cloud: cloudConfigOf(text),
    clock: manualClock(),
    log: createLogger('silent'),
    factories,
  });
  return { providers, made, retired, apply: (next: string) => providers.apply(cloudConfigOf(next)) };
}
const two = 'providers: { openai: { api_key: a }, qwen: { api_key: b, enabled: false } }';

describe('the providers of the server', () => {
  it('are this machine and those that are on; all of them include those that are off', () => {
    const { providers } = setup(two);
    expect([...providers.current().keys()]).toEqual(['local', 'openai']);
    expect([...providers.all().keys()]).toEqual(['local', 'openai', 'qwen']);
  });

  it('are switched by hand, ready at once, which outlives a configuration that says of them what it said', () => {
    const { providers, apply, made } = setup(two);
    providers.enable('qwen', true);
    providers.enable('openai', false);
    expect([...providers.current().keys()]).toEqual(['local', 'qwen']);
    expect(providers.current().get('qwen')!.status()).toEqual({ state: 'ready', reason: null });
    expect(() => providers.enable('cursor', true)).toThrow(RangeError);
    expect(['openai', 'qwen'].map(providers.isSwitched)).toEqual([true, true]);
    apply(two);
    expect([...providers.current().keys()]).toEqual(['local', 'qwen']);
    expect(made).toHaveLength(2);
    // Back to what the file says is by hand no more.
    providers.enable('openai', true);
    expect(['openai', 'qwen'].map(providers.isSwitched)).toEqual([false, true]);
  });

  it('that were switched by hand are as the file says once it says another thing of them', () => {
    const { providers, apply } = setup(two);
    providers.enable('openai', false);
    apply('providers: { openai: { api_key: a, enabled: false }, qwen: { api_key: b } }');
    expect([...providers.current().keys()]).toEqual(['local', 'qwen']);
    expect(providers.isSwitched('openai')).toBe(false);
    apply('providers: { openai: { api_key: a }, qwen: { api_key: b } }');
    expect([...providers.current().keys()]).toEqual(['local', 'openai', 'qwen']);
  });

  it('stay the same where the file only switches them, and are built anew where it changes more', () => {
    const { providers, apply } = setup(two);
    const [openai, qwen] = [providers.all().get('openai'), providers.all().get('qwen')];
    expect(apply('providers: { openai: { api_key: other }, qwen: { api_key: b } }')).toEqual(['openai']);
    expect(providers.current().get('qwen')).toBe(qwen);
    expect(providers.current().get('openai')).not.toBe(openai);
  });

  it('are told when others have taken their place, or none, and only then', () => {
    const { providers, retired, apply } = setup(two);
    apply('providers: { openai: { api_key: a, enabled: false }, qwen: { api_key: b } }');
    providers.enable('qwen', false);
    expect(retired).toEqual([]);
    apply('providers: { openai: { api_key: other } }');
    expect(retired).toEqual(['openai', 'qwen']);
  });

  it('stay as they were when one of the new ones cannot be built', () => {
    const { providers, apply } = setup(two);
    const before = providers.current();
    expect(() => apply('providers: { gemini: { api_key: a, display_name: broken } }')).toThrow('cannot be built');
    expect(providers.current()).toBe(before);
  });
});

describe('what decides where requests go', () => {
  it('lets none leave where no provider is configured, or the configuration forbids it', () => {
    expect(routingOf(cloudConfigOf('{}')).cloudAllowed).toBe(false);
    expect(routingOf(cloudConfigOf(`global: { cloud: forbid }\n${two}`)).cloudAllowed).toBe(false);
  });

  it('lets one leave to a provider that is off in the file, as it may be switched on', () => {
    expect(routingOf(cloudConfigOf('providers: { qwen: { api_key: b, enabled: false } }')).cloudAllowed).toBe(true);
  });

  it('has the default model of each provider', () => {
    const text = `
global: { default_provider: qwen, default_model: qwen-max }
providers:
  openai: { api_key: a, models: [{ id: gpt-4o }, { id: gpt-4o-mini, is_default: true }] }
  qwen: { api_key: b, models: [{ id: qwen-plus }] }
`;
    expect(routingOf(cloudConfigOf(text)).defaultModels).toEqual({
      local: 'default',
      openai: 'gpt-4o-mini',
      qwen: 'qwen-max',
    });
  });
});
