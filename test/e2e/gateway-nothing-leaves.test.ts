import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generating, type Target, targets } from '../http/bad-inputs/targets.ts';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { builtInModel, type GatewayServer, startGateway } from '../support/gateway-server.ts';
import { type SocketSpy, spyOnSockets } from '../support/socket-spy.ts';
import { openWebSocket } from '../support/websocket-client.ts';

let clouds: Clouds;
let server: GatewayServer;
let spy: SocketSpy;
beforeAll(async () => {
  clouds = await startClouds();
});
afterEach(async () => {
  spy.close();
  await server.close();
});
afterAll(() => clouds.close());

/** Every kind of provider, each of which would answer. `tiny` is a name of the model here; `toy` is one of the cloud. */
const file = (models: object = {}) => ({
  models: { aliases: { tiny: builtInModel }, ...models },
  global: { default_provider: 'openai', default_model: 'toy' },
  providers: {
    ...clouds.providers,
    vllm: { ...clouds.providers.openai, type: 'vllm' },
    ollama: { ...clouds.providers.openai, type: 'ollama' },
    upstairs: { ...clouds.providers.openai, type: 'hearth' },
  },
  failover_chains: { all: ['local', 'openai', 'claude', 'aws'] },
});

async function open(models: object = {}, realWorkers = false): Promise<void> {
  server = await startGateway(file(models), { realWorkers });
  spy = spyOnSockets([Number(new URL(server.baseUrl).port)]);
}

/** What asks the hub for a model, or changes what is here, is another matter. */
const asking = targets.filter(
  ({ url, method }) =>
    method === undefined &&
    !/pull|import|copy|create$|load$|tickets|show|providers|circuit|config|keys|rate-limits/.test(url),
);
const variants = (target: Target): Record<string, unknown>[] =>
  generating.includes(target) ? [target.valid, { ...target.valid, stream: true }] : [target.valid];

async function send(url: string, body: unknown, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${server.baseUrl}${url}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

/** Sends all of them, some at a time; the statuses that came. */
async function sendAll(change: (body: Record<string, unknown>) => object, headers?: Record<string, string>) {
  const left = asking.flatMap((target) => variants(target).map((body) => ({ url: target.url, body: change(body) })));
  const statuses = new Map<number, number>();
  const lane = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const status = await send(next.url, next.body, headers);
      // A batch tells of each of its requests in its body.
      if (!next.url.includes('batch')) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
  return statuses;
}

const nothingLeft = () => {
  expect(spy.opened()).toEqual([]);
  expect(clouds.arrived()).toBe(0);
};
const only = (statuses: Map<number, number>, ...expected: number[]) =>
  expect([...statuses.keys()].filter((status) => !expected.includes(status))).toEqual([]);

describe('requests of all dialects that nobody has marked open no connection', () => {
  it('where they are answered here', async () => {
    await open({}, true);
    const statuses = await sendAll((body) => body);
    // The built-in model neither embeds nor ranks.
    only(statuses, 200, 400, 422, 501);
    expect(statuses.get(200)).toBeGreaterThan(25);
    const socket = await openWebSocket(`${server.baseUrl.replace('http', 'ws')}/ws/generate`);
    socket.send({ type: 'generate', prompt: 'Hi', max_tokens: 3 });
    await socket.next();
    socket.socket.close();
    nothingLeft();
  });

  it('where nobody has the model, here or there', async () => {
    await open();
    const statuses = await sendAll((body) => ({ ...body, model: 'nobody-has-this' }));
    expect(statuses.get(404)).toBeGreaterThan(25);
    expect(statuses.has(200)).toBe(false);
    nothingLeft();
  });

  it('where there is no model at all', async () => {
    await open({ builtin: false, aliases: {} });
    const statuses = await sendAll((body) => body);
    expect(statuses.get(404)).toBeGreaterThan(25);
    nothingLeft();
  });

  it('where the model here crashes', async () => {
    await open();
    server.local('crash');
    const statuses = await sendAll((body) => body);
    expect(statuses.get(503)).toBeGreaterThan(25);
    nothingLeft();
  });

  it('where the queue here is full', async () => {
    await open({ parallel: 1, max_queue: 0 });
    server.local('hold');
    const gone = new AbortController();
    const held = fetch(`${server.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] }),
      signal: gone.signal,
    }).catch(() => {});
    await expect.poll(() => server.workers[0]?.running.length).toBe(1);
    const left = asking.filter((target) => generating.includes(target));
    for (const { url, valid } of left) expect(await send(url, valid)).toBeOneOf([429, 503]);
    nothingLeft();
    gone.abort();
    await held;
  });

  it('where they name the cloud and say that they must not leave', async () => {
    await open();
    const never = { 'x-cloud': 'never' };
    for (const model of [...Object.values(cloudModels), 'openai/toy', 'vllm/anything', 'aws/anything']) {
      only(await sendAll((body) => ({ ...body, model }), never), 400, 404, 422);
    }
    only(await sendAll((body) => body, { ...never, 'x-provider': 'openai' }), 400);
    nothingLeft();
  });

  it('where the whole server forbids it, however they are marked', async () => {
    await open();
    await server.reconfigure({ ...file(), global: { cloud: 'forbid', default_provider: 'openai' } });
    const marks: Record<string, string>[] = [
      { 'x-cloud': 'require' },
      { 'x-provider': 'openai' },
      { 'x-failover-chain': 'all' },
    ];
    for (const headers of marks) only(await sendAll((body) => body, headers), 400, 403, 404, 501);
    nothingLeft();
  });
});

describe('what is seen here', () => {
  it.each(Object.values(cloudModels))('is every connection: one request for %s opens one', async (model) => {
    const before = clouds.arrived();
    await open();
    expect(await send('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] })).toBe(200);
    const places = [clouds.openai.baseUrl, clouds.anthropic.url, clouds.bedrock.baseUrl].map(
      (url) => new URL(url).host,
    );
    expect(spy.opened()).toHaveLength(1);
    expect(places).toContain(spy.opened()[0]);
    expect(clouds.arrived()).toBe(before + 1);
  });
});
