import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually, openStream } from '../support/client.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../support/fake-openai/fake-openai.ts';
import { openAiSection } from '../support/gateway-server.ts';
import { type RunningServer, startServer } from '../support/server.ts';

let folder: string;
let fakes: { one: FakeOpenAi; two: FakeOpenAi };
let server: RunningServer;
const file = () => join(folder, 'hearth.yaml');
/** A configuration in which the provider `cloud` is one of the two services. */
const pointingAt = (fake: FakeOpenAi, more: object = {}) =>
  stringify({
    budgets: { daily: 1, unknown_prices: 'allow' },
    providers: { cloud: openAiSection(fake.baseUrl, more) },
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-reload-'));
  const [one, two] = await Promise.all([startFakeOpenAi(), startFakeOpenAi()]);
  fakes = { one, two };
  await writeFile(file(), pointingAt(one));
  server = await startServer({ args: ['--config', file()] });
});
afterEach(async () => {
  await writeFile(file(), pointingAt(fakes.one));
  // A signal might be taken only while the next test writes the file, which is empty for a moment then.
  expect((await fetch(`${server.baseUrl}/api/v1/config/reload`, { method: 'POST' })).status).toBe(200);
  await eventually(async () => (await answeredBy()) === 'one');
});
afterAll(async () => {
  await server.stop();
  await Promise.all([fakes.one.close(), fakes.two.close()]);
  await rm(folder, { recursive: true, force: true });
});

const messages = [{ role: 'user', content: 'Say something.' }];
/** Which of the two services a marked request reaches; the status where none does. */
async function answeredBy(headers: Record<string, string> = {}): Promise<'one' | 'two' | number> {
  const seen = fakes.one.requests.length;
  const response = await fetch(`${server.baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-provider': 'cloud', ...headers },
    body: JSON.stringify({ model: 'toy', messages }),
  });
  await response.text();
  if (response.status !== 200) return response.status;
  return fakes.one.requests.length > seen ? 'one' : 'two';
}

/** State of the provider's circuits; undefined: there are none. */
async function circuit(): Promise<string | undefined> {
  const response = await fetch(`${server.baseUrl}/api/v1/health/circuit-breakers`);
  const { circuit_breakers: all } = (await response.json()) as { circuit_breakers: Record<string, { state: string }> };
  return all['cloud']?.state;
}

/** Writes the file and has it read. */
async function reload(more: object): Promise<string[]> {
  await writeFile(file(), `${pointingAt(fakes.one)}${stringify(more)}`);
  const response = await fetch(`${server.baseUrl}/api/v1/config/reload`, { method: 'POST' });
  return ((await response.json()) as { changes: { settings_changed: string[] } }).changes.settings_changed;
}

describe('the running server', () => {
  it('begins requests of batches as the file that was read last says', async () => {
    const ask = async (path: string, body?: object) => {
      const response = await fetch(`${server.baseUrl}/v1/${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      expect(response.status).toBe(200);
      return (await response.json()) as { id: string; processing_status: string };
    };
    const params = { model: 'default', max_tokens: 8, messages };
    expect(await reload({ jobs: { max_slots: 0 } })).toContain('jobs.max_slots');
    const { id } = await ask('messages/batches', { requests: [{ custom_id: 'one', params }] });
    // Somebody who asks now is answered after what was begun.
    await ask('messages', params);
    expect((await ask(`messages/batches/${id}`)).processing_status).toBe('in_progress');
    expect(await reload({ jobs: { max_slots: 1 } })).toContain('jobs.max_slots');
    await eventually(async () => (await ask(`messages/batches/${id}`)).processing_status === 'ended');
  });

  it('takes another file with SIGHUP, and asks the service that it names', async () => {
    expect(await answeredBy()).toBe('one');
    await writeFile(file(), pointingAt(fakes.two));
    server.child.kill('SIGHUP');
    await eventually(async () => (await answeredBy()) === 'two');
  });

  it('takes another file by itself, also one that replaces it', async () => {
    await writeFile(file(), pointingAt(fakes.two));
    await eventually(async () => (await answeredBy()) === 'two');
    const beside = join(folder, 'next');
    await writeFile(beside, pointingAt(fakes.one, { display_name: 'The first again' }));
    await rename(beside, file());
    await eventually(async () => (await answeredBy()) === 'one');
  });

  it('asks a provider at once whose address was mended', async () => {
    const broken = pointingAt(fakes.one).replace(fakes.one.baseUrl, 'http://127.0.0.1:9/v1');
    expect(broken).toContain('127.0.0.1:9/');
    await writeFile(file(), broken);
    server.child.kill('SIGHUP');
    await eventually(async () => (await answeredBy()) === 503 && (await circuit()) === 'open');
    await writeFile(file(), pointingAt(fakes.two));
    server.child.kill('SIGHUP');
    await eventually(async () => (await circuit()) !== 'open');
    expect(await answeredBy()).toBe('two');
  });

  it('lets a stream end that began before, with whoever gave it', async () => {
    fakes.one.play({ type: 'pieces', bytes: 40 });
    const stream = openStream(`${server.baseUrl}/v1/chat/completions`, { model: 'cloud/toy', messages, stream: true });
    expect(await stream.next()).toContain('chat.completion.chunk');
    await writeFile(file(), pointingAt(fakes.two));
    server.child.kill('SIGHUP');
    await eventually(async () => (await answeredBy()) === 'two');
    const rest = await stream.rest();
    expect(rest.at(-1)).toBe('[DONE]');
    expect(rest.join('')).toContain('ends.');
  });

  it.each([
    [
      'a value that cannot be',
      () => `${pointingAt(fakes.two)}global:\n  max_retries: many\n`,
      /:\d+:\d+.*global\.max_retries/,
    ],
    ['no YAML', () => 'providers: [\n', /hearth\.yaml:\d+/],
    [
      'a variable that is not set',
      () => pointingAt(fakes.two, { api_key: '${NOT_SET}' }),
      /providers\.cloud\.api_key.*NOT_SET/,
    ],
    [
      'a provider that is not there',
      () => `${pointingAt(fakes.two)}failover_chains:\n  c: [cloud, nobody]\n`,
      /failover_chains\.c.*nobody/,
    ],
  ])('keeps the old one where the new one has %s, and says where', async (_, text, told) => {
    const before = server.stderr().length;
    await writeFile(file(), text());
    server.child.kill('SIGHUP');
    const lines = () => server.stderr().slice(before).split('\n');
    const line = await eventually(async () => lines().find((one) => one.includes('cannot be used')));
    const { problems } = JSON.parse(line);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(told);
    expect(problems[0]).toContain('hearth.yaml');
    expect(await answeredBy()).toBe('one');
  });

  it('forbids the cloud from one request to the next, and takes a provider away', async () => {
    await writeFile(file(), `${pointingAt(fakes.one)}global:\n  cloud: forbid\n`);
    await eventually(async () => (await answeredBy()) === 403);
    await writeFile(file(), '{}\n');
    await eventually(async () => (await answeredBy()) === 400);
  });
});
