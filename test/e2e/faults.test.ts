import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ask,
  eventually,
  isAlive,
  metric,
  openStream,
  postJson,
  type RawStream,
  workerPids,
} from '../support/client.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** Continues with numbers until the context is full: about 2,000 tokens, long enough to be cut anywhere. */
const endless = { prompt: '1 2 3 4 5 6 7 8 9 10 11 12', raw: true, temperature: 0, max_tokens: 1900 };
const label = `{model="${builtInModel}"}`;

const record = (text: string | null) => (text === null || text === '[DONE]' ? null : JSON.parse(text));

/** A stream that has shown its first token. */
async function begun(baseUrl: string, body: object = endless): Promise<RawStream> {
  const stream = openStream(`${baseUrl}/generate/stream`, body);
  expect(record(await stream.next())).toMatchObject({ finished: false });
  return stream;
}

const busySlots = (baseUrl: string) => metric(baseUrl, `hearth_model_slots_busy${label}`);
const allFree = (baseUrl: string) => eventually(async () => (await busySlots(baseUrl)) === 0);
const cancelled = (baseUrl: string) =>
  metric(baseUrl, `hearth_requests_total{model="${builtInModel}",outcome="cancelled"}`);

describe('a worker that dies or hangs', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
    await ask(server.baseUrl, 'Hello!');
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('ends a running stream with an error event, never with a fake stop, and the next request works', async () => {
    const stream = await begun(server.baseUrl);
    const chat = openStream(`${server.baseUrl}/v1/completions`, {
      model: 'default',
      ...endless,
      raw: undefined,
      stream: true,
    });
    expect(record(await chat.next())).toMatchObject({ object: 'text_completion' });
    const [pid] = workerPids(server.pid);
    process.kill(pid!, 'SIGKILL');
    const last = record((await stream.rest()).at(-1)!);
    expect(last).toMatchObject({ error: { code: 'WORKER_CRASHED' }, finished: true });
    expect(last).not.toHaveProperty('finish_reason');
    const chatRecords = await chat.rest();
    expect(record(chatRecords.at(-1)!)).toMatchObject({ error: { code: 'worker_crashed' } });
    expect(chatRecords).not.toContain('[DONE]');
    expect(chatRecords.some((text) => /"finish_reason":"(stop|length)"/.test(text))).toBe(false);
    expect((await ask(server.baseUrl, 'Thanks!')).text).toBe('You are welcome!');
    expect(isAlive(server.pid)).toBe(true);
    expect(await metric(server.baseUrl, `hearth_worker_restarts_total{model="${builtInModel}",reason="killed"}`)).toBe(
      1,
    );
  });

  it('repeats a request that had shown nothing yet on a fresh worker', async () => {
    // Eight fill the slots, so that the ninth waits when the worker dies.
    await postJson(`${server.baseUrl}/models/default/load`, { parallel: 1 });
    const first = await begun(server.baseUrl);
    const waiting = ask(server.baseUrl, 'Hello!');
    await eventually(async () => (await metric(server.baseUrl, `hearth_queue_depth${label}`)) === 1);
    process.kill(workerPids(server.pid)[0]!, 'SIGKILL');
    expect((await waiting).text).toMatch(/^Hello! I am the built-in demo model/);
    expect(record((await first.rest()).at(-1)!)).toMatchObject({ error: { code: 'WORKER_CRASHED' } });
  });

  it('notices a worker that hangs, kills it and ends its streams', async () => {
    const stream = await begun(server.baseUrl);
    const pid = workerPids(server.pid)[0]!;
    process.kill(pid, 'SIGSTOP');
    expect(record((await stream.rest()).at(-1)!)).toMatchObject({ error: { code: 'WORKER_CRASHED' } });
    expect(isAlive(pid)).toBe(false);
    expect((await ask(server.baseUrl, 'Thanks!')).text).toBe('You are welcome!');
  });
});

describe('a client that goes away', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
    await postJson(`${server.baseUrl}/models/default/load`, { parallel: 2 });
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('frees its slot while it decodes, and nobody else is disturbed', async () => {
    const before = await cancelled(server.baseUrl);
    const leaving = await begun(server.baseUrl);
    const staying = openStream(`${server.baseUrl}/generate/stream`, { prompt: 'What is GGUF?', temperature: 0 });
    await staying.next();
    leaving.destroy();
    const text = (await staying.rest()).map((item) => record(item).token).join('');
    expect(text).toMatch(/so it is all that Hearth needs to run a model\.$/);
    await allFree(server.baseUrl);
    expect((await cancelled(server.baseUrl)) - before).toBe(1);
    const generated = await metric(server.baseUrl, `hearth_generated_tokens_total${label}`);
    const steps = await metric(server.baseUrl, `hearth_engine_steps_total${label}`);
    expect((await ask(server.baseUrl, 'Thanks!')).text).toBe('You are welcome!');
    // Only the new answer was computed: nothing went on for the client that left.
    expect((await metric(server.baseUrl, `hearth_generated_tokens_total${label}`)) - generated).toBe(5);
    expect((await metric(server.baseUrl, `hearth_engine_steps_total${label}`)) - steps).toBeLessThan(10);
  });

  it('frees its slot in the middle of its prompt, with no token generated', async () => {
    const before = await cancelled(server.baseUrl);
    // A neighbour that decodes keeps the prefill at 64 tokens a step: about thirty steps for this prompt.
    const neighbour = await begun(server.baseUrl);
    const firstTokens = await metric(server.baseUrl, `hearth_time_to_first_token_seconds_count${label}`);
    const leaving = openStream(`${server.baseUrl}/generate/stream`, {
      prompt: '7'.repeat(1_900),
      raw: true,
      max_tokens: 5,
    });
    await eventually(async () => (await busySlots(server.baseUrl)) === 2);
    leaving.destroy();
    await eventually(async () => (await cancelled(server.baseUrl)) - before === 1);
    expect(await metric(server.baseUrl, `hearth_time_to_first_token_seconds_count${label}`)).toBe(firstTokens);
    await eventually(async () => (await busySlots(server.baseUrl)) === 1);
    neighbour.destroy();
    await allFree(server.baseUrl);
  });

  it('leaves the queue when it goes while it waits, and the others keep their places', async () => {
    const busy = [await begun(server.baseUrl), await begun(server.baseUrl)];
    const before = await cancelled(server.baseUrl);
    const leaving = openStream(`${server.baseUrl}/generate/stream`, endless);
    await eventually(async () => (await metric(server.baseUrl, `hearth_queue_depth${label}`)) === 1);
    const staying = ask(server.baseUrl, 'Thanks!');
    await eventually(async () => (await metric(server.baseUrl, `hearth_queue_depth${label}`)) === 2);
    leaving.destroy();
    await eventually(async () => (await metric(server.baseUrl, `hearth_queue_depth${label}`)) === 1);
    expect((await cancelled(server.baseUrl)) - before).toBe(1);
    for (const stream of busy) stream.destroy();
    expect((await staying).text).toBe('You are welcome!');
    await allFree(server.baseUrl);
  });

  it('frees the slots of a WebSocket that closes', async () => {
    const socket = new WebSocket(`${server.baseUrl.replace('http', 'ws')}/ws/generate`);
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    const token = new Promise<string>((resolve) => {
      socket.addEventListener('message', (event) => resolve(String(event.data)), { once: true });
    });
    socket.send(JSON.stringify({ action: 'generate', ...endless }));
    expect(JSON.parse(await token)).toMatchObject({ type: 'token', index: 0 });
    expect(await busySlots(server.baseUrl)).toBe(1);
    socket.close();
    await allFree(server.baseUrl);
  });

  it('survives a thousand clients that come and go', async () => {
    const leave = async (turn: number) => {
      const stream = openStream(`${server.baseUrl}/generate/stream`, endless);
      if (turn % 3 === 0) await stream.next();
      else if (turn % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
      stream.destroy();
    };
    for (let turn = 0; turn < 1_000; turn += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => leave(turn + index)));
    }
    await allFree(server.baseUrl);
    expect(await metric(server.baseUrl, `hearth_queue_depth${label}`)).toBe(0);
    expect((await ask(server.baseUrl, 'Thanks!')).text).toBe('You are welcome!');
    expect(workerPids(server.pid)).toHaveLength(1);
  });
});

describe('SIGTERM', () => {
  it('lets running streams finish, refuses new work with a time to retry, and exits with 0', async () => {
    const server = await startServer({ env: { HEARTH_DRAIN: '60s' } });
    await postJson(`${server.baseUrl}/models/default/load`, { parallel: 4 });
    const streams = await Promise.all([1, 2, 3].map(() => begun(server.baseUrl, { ...endless, max_tokens: 600 })));
    const [worker] = workerPids(server.pid);
    server.child.kill('SIGTERM');
    await eventually(async () => (await fetch(`${server.baseUrl}/readyz`)).status === 503);
    const refused = await postJson(`${server.baseUrl}/v1/chat/completions`, {
      model: 'default',
      messages: [{ role: 'user', content: 'Hello!' }],
    });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused.body).toMatchObject({ error: { code: 'shutting_down' } });
    expect((await fetch(`${server.baseUrl}/livez`)).status).toBe(200);
    for (const stream of streams) {
      expect(record((await stream.rest()).at(-1)!)).toMatchObject({ finished: true, finish_reason: 'length' });
    }
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(isAlive(worker!)).toBe(false);
    await server.stop();
  });

  it('answers at once who waits for a load, and ends the loader', async () => {
    const server = await startServer();
    const messages = [{ role: 'user', content: 'Hello!' }];
    const waiting = [
      postJson(`${server.baseUrl}/models/default/load`, {}),
      postJson(`${server.baseUrl}/v1/chat/completions`, { model: 'default', messages }),
    ];
    await eventually(() => Promise.resolve(workerPids(server.pid).length === 1));
    const [worker] = workerPids(server.pid);
    server.child.kill('SIGTERM');
    for (const { status, body } of await Promise.all(waiting)) {
      expect(status).toBe(503);
      expect(JSON.stringify(body)).toMatch(/"shutting_down"/i);
    }
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(isAlive(worker!)).toBe(false);
    expect(server.stderr()).not.toContain('model loaded');
    await server.stop();
  });

  it('ends streams with an error event at the deadline', async () => {
    const server = await startServer({ env: { HEARTH_DRAIN: '200ms' } });
    await postJson(`${server.baseUrl}/models/default/load`, { parallel: 1 });
    const stream = await begun(server.baseUrl);
    const waiting = openStream(`${server.baseUrl}/v1/chat/completions`, {
      model: 'default',
      stream: true,
      messages: [{ role: 'user', content: 'Hello!' }],
    });
    await eventually(async () => (await metric(server.baseUrl, `hearth_queue_depth${label}`)) === 1);
    server.child.kill('SIGTERM');
    expect(record((await stream.rest()).at(-1)!)).toMatchObject({ error: { code: 'SHUTTING_DOWN' }, finished: true });
    expect((await waiting.response).statusCode).toBe(503);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    await server.stop();
  });

  it('exits at once on the second signal, and leaves no worker behind', async () => {
    const server = await startServer({ env: { HEARTH_DRAIN: '10m' } });
    await ask(server.baseUrl, 'Thanks!');
    const stream = await begun(server.baseUrl);
    const [worker] = workerPids(server.pid);
    server.child.kill('SIGTERM');
    await eventually(async () => (await fetch(`${server.baseUrl}/readyz`)).status === 503);
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 1, signal: null });
    await eventually(async () => !isAlive(worker!));
    stream.destroy();
    await server.stop();
  });

  it('leaves no worker behind when the server itself is killed', async () => {
    const server = await startServer();
    await ask(server.baseUrl, 'Thanks!');
    const [worker] = workerPids(server.pid);
    expect(isAlive(worker!)).toBe(true);
    await server.stop('SIGKILL');
    await eventually(async () => !isAlive(worker!));
  });
});
