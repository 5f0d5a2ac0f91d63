import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createWebhookPost, type WebhookRules, webhookProblem } from '../../src/jobs/webhook-post.ts';
import { manualClock } from '../support/manual-clock.ts';
import { repositoryRoot } from '../support/server.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const rules: WebhookRules = { hosts: ['hooks.example.com', '127.0.0.1', '10.0.0.7'], allowPrivate: false };
const inside: WebhookRules = { ...rules, allowPrivate: true };

describe('an address of a webhook', () => {
  it.each([
    ['https://hooks.example.com/a?b=c', rules],
    ['https://HOOKS.example.com.:8443/a', rules],
    ['http://10.0.0.7/a', inside],
    ['https://127.0.0.1/a', inside],
  ])('%s may be called', (address, by) => {
    expect(webhookProblem(address, by)).toBeNull();
  });

  it.each([
    ['not an address', rules, 'is no address'],
    [`https://hooks.example.com/${'a'.repeat(2_048)}`, rules, 'is no address'],
    ['ftp://hooks.example.com/', rules, 'is no address of the web'],
    ['https://me:word@hooks.example.com/', rules, 'has a name, a password or a "#"'],
    ['https://hooks.example.com/#a', rules, 'has a name, a password or a "#"'],
    ['https://evil.example/', rules, 'leads to evil.example, which webhooks may not go to here'],
    ['https://a.hooks.example.com/', rules, 'leads to a.hooks.example.com, which webhooks may not go to here'],
    ['http://hooks.example.com/', rules, 'does not use HTTPS'],
    ['https://127.0.0.1/', rules, 'leads to this machine or into a private network'],
    ['https://0x7f.1/', rules, 'leads to this machine or into a private network'],
    ['https://169.254.169.254/', inside, 'leads to 169.254.169.254, which webhooks may not go to here'],
  ])('%s is refused: it %3$s', (address, by, problem) => {
    expect(webhookProblem(address, by)?.problem).toBe(problem);
  });
});

describe('a webhook', () => {
  let receiver: WebhookReceiver | null = null;
  afterEach(async () => {
    await receiver?.close();
    receiver = null;
  });
  const message = { headers: { 'webhook-id': 'evt_1' }, body: '{"n":"ä"}' };
  const never = new AbortController().signal;
  const posting = (more: Partial<Parameters<typeof createWebhookPost>[0]> = {}) =>
    createWebhookPost({ rules: () => inside, clock: manualClock(), userAgent: 'hearth/test', ...more });

  it('is a POST of JSON, and has the status of its answer', async () => {
    receiver = await startWebhookReceiver(() => ({ status: 204 }));
    expect(await posting()(receiver.url, message, never)).toBe(204);
    expect(receiver.received).toEqual([
      {
        method: 'POST',
        path: '/hook',
        body: '{"n":"ä"}',
        headers: {
          'webhook-id': 'evt_1',
          'content-type': 'application/json',
          'content-length': '10',
          'user-agent': 'hearth/test',
          host: new URL(receiver.url).host,
          connection: 'close',
        },
      },
    ]);
  });

  it('follows no redirect', async () => {
    receiver = await startWebhookReceiver(() => ({ status: 307, headers: { location: '/elsewhere' } }));
    expect(await posting()(receiver.url, message, never)).toBe(307);
    expect(receiver.received).toHaveLength(1);
  });

  it('goes nowhere else when the rules have changed since', async () => {
    receiver = await startWebhookReceiver(() => ({ status: 204 }));
    await expect(posting({ rules: () => rules })(receiver.url, message, never)).rejects.toThrow(/does not use HTTPS/);
    expect(receiver.received).toEqual([]);
  });

  it.each([
    ['https', rules, '10.0.0.1', /into a private network/],
    ['https', rules, '::ffff:127.0.0.1', /into a private network/],
    ['http', inside, '1.1.1.1', /leads out of this network without HTTPS/],
  ])('by %s is not sent to a name that has the address of somebody else', async (scheme, by, address, refusal) => {
    const lookUpHost = async () => [{ address, family: address.includes(':') ? 6 : 4 }];
    const post = posting({ rules: () => by, lookUpHost });
    await expect(post(`${scheme}://hooks.example.com/`, message, never)).rejects.toThrow(refusal);
  });

  it('goes over TLS to the address that its name was found to have', async () => {
    const pem = (name: string) => readFileSync(`${repositoryRoot}/test/fixtures/tls/${name}.pem`, 'utf8');
    const server = createServer({ key: pem('key'), cert: pem('certificate') }, (_request, response) => {
      response.writeHead(200).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const lookUpHost = async () => [{ address: '127.0.0.1', family: 4 }];
    const post = posting({ rules: () => ({ ...inside, hosts: ['localhost'] }), lookUpHost, ca: pem('certificate') });
    expect(await post(`https://localhost:${port}/`, message, never)).toBe(200);
    // Whoever has another name has no certificate for it.
    const other = posting({ lookUpHost, ca: pem('certificate') });
    await expect(other(`https://hooks.example.com:${port}/`, message, never)).rejects.toThrow(/altnames/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('is given up when nobody answers in time, or when nobody waits any more', async () => {
    receiver = await startWebhookReceiver(() => null);
    const clock = manualClock();
    const late = posting({ clock })(receiver.url, message, never);
    await receiver.until(1);
    clock.advance(15_000);
    await expect(late).rejects.toThrow('no answer within 15 s');
    const unwanted = new AbortController();
    const gone = posting()(receiver.url, message, unwanted.signal);
    await receiver.until(2);
    unwanted.abort(new Error('the server ends'));
    await expect(gone).rejects.toThrow('the server ends');
  });
});
