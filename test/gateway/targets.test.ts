import { describe, expect, it } from 'vitest';
import { localOnly, type RoutingConfig, type RoutingWish } from '../../src/core/call.ts';
import { targetsOf } from '../../src/gateway/targets.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const providers = new Map(['local', 'claude', 'other'].map((id) => [id, scriptedProvider([], { id })]));
const open: RoutingConfig = {
  defaultProvider: 'local',
  cloudAllowed: true,
  chains: { mixed: ['local', 'claude', 'other'], cloudOnly: ['claude'], broken: ['local', 'gone'] },
};
const closed = { ...open, cloudAllowed: false };
const ids = (wish: Partial<RoutingWish>, config = open) =>
  targetsOf({ model: 'm', wish: { ...localOnly, ...wish }, config, providers }).map(({ provider }) => provider.id);

describe('where a request goes', () => {
  it.each<[string, Partial<RoutingWish>, string[]]>([
    ['nowhere but this machine when nothing is said', {}, ['local']],
    ['to the provider that it names', { provider: 'claude', cloud: 'allow' }, ['claude']],
    ['along a chain', { chain: 'mixed', cloud: 'allow' }, ['local', 'claude', 'other']],
    ['along what is left of a chain in the house', { chain: 'mixed', cloud: 'never' }, ['local']],
    ['to the cloud only', { chain: 'mixed', cloud: 'require' }, ['claude', 'other']],
  ])('is %s', (_title, wish, expected) => {
    expect(ids(wish)).toEqual(expected);
  });

  it.each<[string, Partial<RoutingWish>, RoutingConfig, string, string]>([
    ['a provider that does not exist', { provider: 'nobody' }, open, 'invalid_request', 'routing.provider'],
    ['a chain that does not exist', { chain: 'nothing' }, open, 'invalid_request', 'routing.chain'],
    ['a chain with a provider that does not exist', { chain: 'broken' }, open, 'invalid_request', 'routing.chain'],
    [
      'a cloud provider that must not be asked',
      { provider: 'claude', cloud: 'never' },
      open,
      'invalid_request',
      'routing',
    ],
    ['the cloud, and names none', { cloud: 'require' }, open, 'invalid_request', 'routing'],
    ['the cloud of a server that forbids it', { provider: 'claude', cloud: 'allow' }, closed, 'forbidden', 'routing'],
    ['a chain through such a cloud', { chain: 'mixed', cloud: 'allow' }, closed, 'forbidden', 'routing'],
  ])('is refused for %s', (_title, wish, config, code, field) => {
    expect(() => ids(wish, config)).toThrow(expect.objectContaining({ code, field }));
  });

  it('never leaves the house unmarked, whatever the configuration allows', () => {
    expect(ids({}, open)).toEqual(['local']);
    expect(ids({ chain: 'mixed' }, closed)).toEqual(['local']);
  });
});
