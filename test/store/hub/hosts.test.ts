import { describe, expect, it } from 'vitest';
import { assertAllowedUrl, checkedLookup, type HostRules, hubCdnHosts } from '../../../src/store/hub/hosts.ts';
import type { LookUpHost } from '../../../src/wire/addresses.ts';

const rules: HostRules = { endpoint: new URL('https://huggingface.co'), hosts: hubCdnHosts, allowPrivate: false };
const reasonFor = (url: string, changed: Partial<HostRules> = {}) => {
  try {
    assertAllowedUrl(new URL(url), { ...rules, ...changed });
    return null;
  } catch (error) {
    return (error as { details: { reason: string } }).details.reason;
  }
};

describe('a URL', () => {
  it.each([
    'https://huggingface.co/a',
    'https://cdn-lfs.huggingface.co/x',
    'https://cas-bridge.xethub.hf.co/x',
    'https://hf.co./x',
  ])('%s is allowed', (url) => {
    expect(reasonFor(url)).toBeNull();
  });

  it.each([
    ['http://huggingface.co/a', 'scheme_refused'],
    ['file:///etc/passwd', 'scheme_refused'],
    ['data:text/plain,x', 'scheme_refused'],
    ['https://huggingface.co@evil.example/', 'host_refused'],
    ['https://user:pass@huggingface.co/', 'host_refused'],
    ['https://evilhf.co/', 'host_refused'],
    ['https://hf.co.evil.example/', 'host_refused'],
    ['https://127.0.0.1/', 'host_refused'],
    ['https://localhost./', 'host_refused'],
  ])('%s is refused: %s', (url, reason) => {
    expect(reasonFor(url)).toBe(reason);
  });

  it.each([
    '127.1',
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '１２７.0.0.1',
    '127.0.0.1.',
    '[::ffff:127.0.0.1]',
    '[::1]',
    '0.0.0.0',
    '[::]',
  ])('to this machine, written as %s, is refused also when it is the hub itself', (host) => {
    const url = `https://${host}/`;
    expect(reasonFor(url, { endpoint: new URL(url) })).toBe('private_address');
    expect(reasonFor(url, { endpoint: new URL(url), allowPrivate: true })).toBeNull();
  });

  it('may be plain HTTP only where the hub is', () => {
    const endpoint = new URL('http://hub.example');
    expect(reasonFor('http://hub.example/x', { endpoint })).toBeNull();
    expect(reasonFor('http://hub.example/x', { endpoint: new URL('https://hub.example') })).toBe('scheme_refused');
  });
});

describe('a look-up', () => {
  const lookUp = (resolve: LookUpHost, options: { all?: boolean; family?: number } = { all: true }) =>
    new Promise((done, fail) =>
      checkedLookup(rules, resolve)('cdn.hf.co', options, (error, address, family) =>
        error ? fail(error) : done(options.all ? address : [address, family]),
      ),
    );
  const both = [
    { address: '1.1.1.1', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ];

  it('gives the addresses that were checked', async () => {
    expect(await lookUp(async () => both)).toEqual(both);
    expect(await lookUp(async () => both, { family: 6 })).toEqual(['2606:4700::1', 6]);
  });

  it('asks once, so that a name which changes its mind leads nowhere else', async () => {
    let asked = 0;
    const changing: LookUpHost = async () => [{ address: asked++ === 0 ? '1.1.1.1' : '127.0.0.1', family: 4 }];
    expect(await lookUp(changing)).toEqual([{ address: '1.1.1.1', family: 4 }]);
    expect(asked).toBe(1);
  });

  it('refuses a name of which any address is private', async () => {
    await expect(lookUp(async () => [...both, { address: '10.0.0.1', family: 4 }])).rejects.toMatchObject({
      code: 'hub_answer_invalid',
      details: { reason: 'private_address', host: 'cdn.hf.co' },
    });
  });

  it('fails when the name cannot be resolved', async () => {
    await expect(lookUp(async () => Promise.reject(new Error('no such name')))).rejects.toThrow('no such name');
  });
});
