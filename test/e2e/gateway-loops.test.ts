import { afterEach, expect, it } from 'vitest';
import { type GatewayServer, startGateway } from '../support/gateway-server.ts';

const servers: GatewayServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(file: object): Promise<GatewayServer> {
  const server = await startGateway(file);
  servers.push(server);
  return server;
}

/** A configuration with another Hearth as the only provider, by the dialect of this type. */
const providing = (baseUrl: string, type: 'hearth' | 'anthropic') => ({
  providers: {
    other:
      type === 'hearth'
        ? { type, base_url: `${baseUrl}/v1` }
        : { type, base_url: baseUrl, models: [{ id: 'nowhere' }], capabilities: { sampling: true } },
  },
});

it.each(['hearth', 'anthropic'] as const)(
  'two servers that have each other as a provider (%s) refuse what neither has, after one round',
  async (type) => {
    const first = await start({});
    const second = await start(providing(first.baseUrl, type));
    await first.reconfigure(providing(second.baseUrl, type));
    const ask = (path: string, body: object) =>
      fetch(first.baseUrl + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-provider': 'other', 'anthropic-version': '2026-10-21' },
        body: JSON.stringify({ model: 'nowhere', max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }], ...body }),
      });
    // The second one sends it on, as its default is the first.
    await second.reconfigure({
      ...providing(first.baseUrl, type),
      global: { default_provider: 'other' },
    });
    for (const [path, model] of [
      ['/v1/messages', type === 'anthropic' ? 'nowhere' : 'other/other/other/other/other/other/nowhere'],
      ['/v1/chat/completions', type === 'anthropic' ? 'nowhere' : 'other/other/other/other/other/other/nowhere'],
    ] as const) {
      const response = await ask(path, { model });
      const text = await response.text();
      expect(text).toMatch(/come back|loop_detected/);
      expect(response.status).toBe(508);
    }
  },
);

it('two servers that have each other as a provider tell their lists at once', async () => {
  const first = await start({});
  const second = await start(providing(first.baseUrl, 'hearth'));
  await first.reconfigure(providing(second.baseUrl, 'hearth'));
  const list = async ({ baseUrl }: GatewayServer) =>
    ((await (await fetch(`${baseUrl}/v1/models`)).json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  const [one, two] = await Promise.all([list(first), list(second)]);
  expect(one.some((id) => id.startsWith('other/'))).toBe(true);
  expect(two).toEqual(one);
});
