import { request as httpRequest, type IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { booksOf } from '../support/books.ts';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { builtInModel, type GatewayServer, startGateway } from '../support/gateway-server.ts';

const aborts = 10_000;
const atATime = 32;
const seed = Number(process.env['HEARTH_TEST_SEED'] ?? Date.now() % 2 ** 31);

let clouds: Clouds;
let server: GatewayServer;
const problems: string[] = [];
const onRejection = (reason: unknown) => problems.push(`unhandled: ${String(reason)}`);
const onWarning = (warning: Error) => problems.push(`warning: ${warning.message}`);
beforeAll(async () => {
  process.on('unhandledRejection', onRejection);
  process.on('warning', onWarning);
  clouds = await startClouds();
  const limits = { rate_limits: { requests_per_minute: 1_000_000, tokens_per_minute: 1_000_000_000 } };
  // With prices, so that each try holds money until its end.
  const pricing = { input_per_million: 3, output_per_million: 15 };
  const priced = (provider: Record<string, unknown>) => ({
    ...provider,
    ...limits,
    models: (provider['models'] as { id: string }[]).map((model) => ({ ...model, pricing })),
  });
  const { openai, claude, aws } = clouds.providers;
  server = await startGateway(
    {
      providers: { openai: priced(openai), claude: priced(claude), aws: priced(aws) },
      failover_chains: { all: ['openai', 'claude', 'aws'], here: ['local', 'openai'] },
    },
    { logLevel: 'warn' },
  );
});
afterAll(async () => {
  await server.close();
  await clouds.close();
  process.off('unhandledRejection', onRejection);
  process.off('warning', onWarning);
});

/** A small generator of numbers from 0 to 1, so that a run can be repeated. */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const messages = [{ role: 'user', content: 'Say something.' }];
const bodies: ((model: string, stream: boolean) => { url: string; body: object })[] = [
  (model, stream) => ({ url: '/v1/chat/completions', body: { model, stream, messages } }),
  (model, stream) => ({ url: '/v1/messages', body: { model, stream, messages, max_tokens: 40 } }),
  (model, stream) => ({ url: '/api/chat', body: { model, stream, messages } }),
  (model, stream) => ({ url: stream ? '/generate/stream' : '/generate', body: { model, prompt: 'Say something.' } }),
];
const marks: Record<string, string>[] = [{}, {}, { 'x-failover-chain': 'all' }, { 'x-failover-chain': 'here' }];
const models = [...Object.values(cloudModels), builtInModel];

/** Sends one request on a socket of its own and cuts it at some moment; whether it was cut before its end. */
async function cutOne(random: () => number): Promise<boolean> {
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)]!;
  const { url, body } = pick(bodies)(pick(models), random() < 0.7);
  const text = JSON.stringify(body);
  const sent = httpRequest(`${server.baseUrl}${url}`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...pick(marks) },
  });
  let isOver = false;
  const over = new Promise<void>((resolve) => sent.on('close', resolve));
  sent.on('error', () => {});
  sent.on('response', (response: IncomingMessage) => {
    response.on('error', () => {});
    response.on('end', () => {
      isOver = true;
    });
    response.resume();
  });
  sent.end(text);
  // In turns of the event loop, which all sides of the request share: sooner than its head, within it, at its very end.
  for (let turns = Math.floor(random() ** 2 * 120); turns > 0 && !isOver; turns--) await nextTurn();
  sent.destroy();
  await over;
  return !isOver;
}

const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

it(`of ${aborts} requests cut at random (seed ${seed}) nothing is left: no socket, no answer, no rejection, nothing reserved`, async () => {
  const random = randomFrom(seed);
  const before = openSockets();
  let cut = 0;
  const lane = async () => {
    while (cut < aborts) if (await cutOne(random)) cut++;
  };
  await Promise.all(Array.from({ length: atATime }, lane));

  await expect.poll(clouds.running, { timeout: 30_000 }).toBe(0);
  await expect.poll(server.app.http.activeConnections, { timeout: 30_000 }).toBe(0);
  expect(server.workers.flatMap(({ running }) => running)).toEqual([]);
  const { loaded } = await server.app.engine.getModel(builtInModel);
  expect(loaded).toMatchObject({ activeRequests: 0, queuedRequests: 0 });
  // Connections that are kept for the next request end by themselves when none comes.
  await expect.poll(openSockets, { timeout: 60_000 }).toBeLessThanOrEqual(before);
  expect(clouds.arrived()).toBeGreaterThan(aborts / 4);
  const books = await booksOf(server);
  await expect.poll(books.reservations, { timeout: 30_000 }).toEqual([]);
  // What was spent in each period is what the rows of all tries come to: nothing is booked twice, nothing is forgotten.
  const rows = await books.entries();
  const costs = rows.reduce((sum, { cost }) => sum + (cost ?? 0n), 0n);
  expect(costs).toBeGreaterThan(0n);
  for (const { spent, reserved } of await books.spending()) expect([spent, reserved]).toEqual([costs, 0n]);
  expect(new Set(rows.map(({ attempt_id }) => attempt_id)).size).toBe(rows.length);
  await books.close();
  expect(problems).toEqual([]);
  expect(server.logged()).toEqual([]);

  for (const model of models) {
    const response = await fetch(`${server.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages }),
    });
    expect(response.status).toBe(200);
    await response.text();
  }
}, 900_000);
