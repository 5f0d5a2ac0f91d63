import { describe, expect, it } from 'vitest';
import { localRouting, noWish, type Principal, type RoutingConfig, type RoutingWish } from '../../src/core/call.ts';
import type { AppError } from '../../src/core/errors.ts';
import { targetsOf } from '../../src/gateway/targets.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const having = (id: string, ...models: string[]) =>
  scriptedProvider([], { id, nameOf: (model) => (models.includes(model) ? model : null) });
const providers = new Map(
  [
    having('local', 'qwen', 'default', 'both'),
    having('claude', 'sonnet', 'both'),
    having('other', 'sonnet', 'gpt'),
  ].map((provider) => [provider.id, provider]),
);
const open: RoutingConfig = {
  ...localRouting,
  cloudAllowed: true,
  defaultProvider: 'claude',
  defaultModels: { local: 'default', claude: 'sonnet', other: 'gpt' },
  chains: { mixed: ['local', 'claude', 'other'], cloudOnly: ['claude'], partly: ['gone', 'claude'], broken: ['gone'] },
};
const closed = { ...open, cloudAllowed: false };
const targets = (model: string, wish: Partial<RoutingWish> = {}, config = open, mayUseCloud = true) =>
  targetsFor({ mayUseCloud, models: null }, model, wish, config);
const targetsFor = (
  principal: Pick<Principal, 'mayUseCloud' | 'models'>,
  model: string,
  wish: Partial<RoutingWish> = {},
  config = open,
) =>
  targetsOf({ model, wish: { ...noWish, ...wish }, config, principal, providers }).map(
    (target) => `${target.provider.id}: ${target.model}`,
  );

describe('where a request goes', () => {
  it.each<[string, string, Partial<RoutingWish>, string[]]>([
    ['here, when nothing is said', 'qwen', {}, ['local: qwen']],
    ['here, where a provider has one of that name', 'both', {}, ['local: both']],
    ['here, for a name that nobody knows', 'nobody-has-it', {}, ['local: nobody-has-it']],
    ['to all who have a model that is not here', 'sonnet', {}, ['claude: sonnet', 'other: sonnet']],
    ['to the provider before the slash', 'other/anything', {}, ['other: anything']],
    ['to the provider that it names', 'sonnet', { provider: 'claude' }, ['claude: sonnet']],
    ['to it for a model that it may know', 'brand-new', { provider: 'claude' }, ['claude: brand-new']],
    ['to it for its default, by a name of this machine', 'qwen', { provider: 'claude' }, ['claude: sonnet']],
    ['to it for its default, by the name default', 'default', { provider: 'claude' }, ['claude: sonnet']],
    [
      'along a chain, each asked for what it has',
      'sonnet',
      { chain: 'mixed' },
      ['local: default', 'claude: sonnet', 'other: sonnet'],
    ],
    [
      'along a chain by a name that nobody knows, as it is',
      'brand-new',
      { chain: 'mixed' },
      ['local: brand-new', 'claude: brand-new', 'other: brand-new'],
    ],
    ['along what is left of a chain in the house', 'qwen', { chain: 'mixed', cloud: 'never' }, ['local: qwen']],
    ['along a chain in the cloud only', 'gpt', { chain: 'mixed', cloud: 'require' }, ['claude: sonnet', 'other: gpt']],
    ['past a provider of a chain that is off', 'sonnet', { chain: 'partly' }, ['claude: sonnet']],
    ['to the default of the cloud', 'qwen', { cloud: 'require' }, ['claude: sonnet']],
    ['to who has it in the cloud', 'both', { cloud: 'require' }, ['claude: both']],
    ['here and then to the cloud', 'qwen', { cloud: 'allow' }, ['local: qwen', 'claude: sonnet']],
    ['to the cloud at once for what is not here', 'gpt', { cloud: 'allow' }, ['other: gpt']],
    ['here, when it must not leave', 'both', { cloud: 'never' }, ['local: both']],
  ])('is %s', (_title, model, wish, expected) => {
    expect(targets(model, wish)).toEqual(expected);
  });

  it.each<[string, string, Partial<RoutingWish>, RoutingConfig, string, string | null]>([
    ['a provider that does not exist', 'm', { provider: 'nobody' }, open, 'invalid_request', 'routing.provider'],
    ['a chain that does not exist', 'm', { chain: 'nothing' }, open, 'invalid_request', 'routing.chain'],
    ['a chain whose providers are all off', 'm', { chain: 'broken' }, open, 'invalid_request', 'routing.chain'],
    ['a provider and a chain', 'm', { provider: 'claude', chain: 'mixed' }, open, 'invalid_request', 'routing.chain'],
    [
      'a cloud provider that must not be asked',
      'm',
      { provider: 'claude', cloud: 'never' },
      open,
      'invalid_request',
      'routing.cloud',
    ],
    ['a cloud model that must not be asked', 'sonnet', { cloud: 'never' }, open, 'invalid_request', 'routing.cloud'],
    [
      'the cloud where there is none',
      'qwen',
      { cloud: 'require' },
      { ...open, defaultProvider: 'local' },
      'invalid_request',
      'routing.cloud',
    ],
    ['the cloud of a server that forbids it', 'm', { provider: 'claude' }, closed, 'forbidden', null],
    ['a model of such a cloud', 'sonnet', {}, closed, 'forbidden', null],
    ['a chain through such a cloud', 'm', { chain: 'mixed' }, closed, 'forbidden', null],
  ])('is refused for %s', (_title, model, wish, config, code, field) => {
    expect(() => targets(model, wish, config)).toThrow(expect.objectContaining({ code, field }));
  });

  it('is told which names there are in place of one that there is not', () => {
    const fixOf = (wish: Partial<RoutingWish>, config = open) => {
      try {
        return targets('m', wish, config);
      } catch (error) {
        return (error as AppError).fix;
      }
    };
    expect(fixOf({ provider: 'nobody' })).toBe('Providers that are on: local, claude, other.');
    expect(fixOf({ chain: 'nothing' })).toBe('Chains that are there: mixed, cloudOnly, partly, broken.');
    expect(fixOf({ chain: 'nothing' }, { ...open, chains: {} })).toBe('The configuration has no failover_chains.');
  });

  it('is refused for a key that may not use the cloud, and stays here for what is here', () => {
    expect(() => targets('sonnet', {}, open, false)).toThrow(expect.objectContaining({ code: 'forbidden' }));
    expect(targets('qwen', {}, open, false)).toEqual(['local: qwen']);
  });

  it('never leaves the house unmarked, whatever the configuration allows', () => {
    for (const model of ['qwen', 'both', 'default', 'nobody-has-it']) {
      expect(targets(model).every((target) => target.startsWith('local:'))).toBe(true);
    }
    expect(targets('qwen', { chain: 'mixed', cloud: 'never' }, closed)).toEqual(['local: qwen']);
  });
});

describe('a key with a list of models', () => {
  const aliased = new Map([
    [
      'local',
      scriptedProvider([], {
        id: 'local',
        nameOf: (name) =>
          ({ default: 'qwen-7b', small: 'gemma-2b' })[name] ??
          (name === 'qwen-7b' || name === 'gemma-2b' ? name : null),
      }),
    ],
  ]);
  const local = (models: string[], model: string) =>
    targetsOf({ model, wish: noWish, config: open, principal: { mayUseCloud: true, models }, providers: aliased });

  it.each<[string[], string, Partial<RoutingWish>, string[]]>([
    [['qwen'], 'qwen', {}, ['local: qwen']],
    [['sonnet'], 'sonnet', {}, ['claude: sonnet', 'other: sonnet']],
    [['other/sonnet'], 'sonnet', {}, ['other: sonnet']],
    [['other/anything'], 'other/anything', {}, ['other: anything']],
    [['qwen', 'sonnet'], 'qwen', { chain: 'mixed' }, ['local: qwen', 'claude: sonnet']],
    [['gpt'], 'qwen', { chain: 'mixed' }, ['other: gpt']],
  ])('of %j gets for "%s" with %j what stands there', (models, model, wish, expected) => {
    expect(targetsFor({ mayUseCloud: true, models }, model, wish)).toEqual(expected);
  });

  it.each<[string[], string, Partial<RoutingWish>]>([
    [['qwen'], 'both', {}],
    [['qwen'], 'nobody-has-it', {}],
    [['qwen'], 'qwen', { provider: 'claude' }],
    [['claude/sonnet'], 'sonnet', { provider: 'other' }],
    [[], 'qwen', {}],
  ])('of %j is refused for "%s" with %j', (models, model, wish) => {
    expect(() => targetsFor({ mayUseCloud: true, models }, model, wish)).toThrow(
      expect.objectContaining({ code: 'forbidden', field: 'model' }),
    );
  });

  it('means models and not the names by which they are asked for', () => {
    expect(local(['qwen-7b'], 'default')).toHaveLength(1);
    expect(local(['default'], 'qwen-7b')).toHaveLength(1);
    expect(() => local(['default'], 'small')).toThrow(/may not use/);
  });
});
