import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postJson } from '../support/client.ts';
import { type RunningServer, type StartOptions, startServer } from '../support/server.ts';

const system = `You are Hearth, a small helpful assistant. ${'The house has many rooms. '.repeat(60)}`;
const questions = ['What is GGUF?', 'What is prefill?', 'What is Hearth?'] as const;

let data: string;
let server: RunningServer;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'hearth-owners-'));
});
afterEach(async () => {
  await server?.stop();
  await rm(data, { recursive: true, force: true });
});

async function start(options: StartOptions): Promise<void> {
  await server?.stop();
  server = await startServer({ ...options, args: ['--data', data, ...(options.args ?? [])] });
}

async function post(path: string, body: object, key = ''): Promise<unknown> {
  const headers: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` };
  const answer = await postJson(`${server.baseUrl}${path}`, body, headers);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
}

const unload = (key = '') => post('/models/default/unload', {}, key);

/** A greedy answer after the long system prompt, and how much of the prompt was not computed. */
async function ask(question: string, options: { key?: string; cachePrompt?: boolean | 'pin'; system?: string } = {}) {
  const body = await post(
    '/v1/chat/completions',
    {
      model: 'default',
      temperature: 0,
      messages: [
        { role: 'system', content: options.system ?? system },
        { role: 'user', content: question },
      ],
      ...(options.cachePrompt !== undefined && { cache_prompt: options.cachePrompt }),
    },
    options.key,
  );
  const { choices, usage } = body as {
    choices: { message: { content: string } }[];
    usage: { prompt_tokens_details: { cached_tokens: number } };
  };
  return { text: choices[0]!.message.content, cached: usage.prompt_tokens_details.cached_tokens };
}

describe('two API keys', () => {
  const [one, two] = ['key-one', 'key-two'] as const;
  const env = { HEARTH_API_KEY: `${one},${two}`, HEARTH_PREFIX_VAULT_MIN: '1ms', HEARTH_PARALLEL: '4' };

  it('see nothing of each other in slots, in flight, on disk or after a restart, and get the answers of a cold run', async () => {
    await start({ env });
    const cold = new Map<string, string>();
    for (const question of questions) cold.set(question, (await ask(question, { key: one, cachePrompt: false })).text);
    const [first, second, third] = questions;
    // 1. In flight: each key computes the prefix once.
    const together = await Promise.all([one, two, one, two].map((key, index) => ask(questions[index >> 1]!, { key })));
    expect(together.map(({ text }) => text)).toEqual([first, first, second, second].map((text) => cold.get(text)));
    expect(together.map(({ cached }) => cached > 400).filter(Boolean)).toHaveLength(2);
    // 2. In slots, with a prompt that only one of them has asked.
    const private1 = `${system} The cellar is locked.`;
    expect((await ask(third, { key: one, system: private1 })).cached).toBeGreaterThan(400);
    const asOne = await ask(first, { key: one, system: private1 });
    const asTwo = await ask(first, { key: two, system: private1 });
    expect(asOne.cached).toBeGreaterThan(asTwo.cached);
    expect(asTwo.text).toBe(asOne.text);
    // 3. On disk: only the first key has asked this one twice.
    const private2 = `The attic is dusty. ${system}`;
    for (const question of [first, second]) await ask(question, { key: one, system: private2 });
    const coldPrivate = await ask(third, { key: two, system: private2, cachePrompt: false });
    await unload(one);
    const [ofTwo, ofOne] = [
      await ask(third, { key: two, system: private2 }),
      await ask(third, { key: one, system: private2 }),
    ];
    expect(ofTwo).toEqual({ text: coldPrivate.text, cached: 0 });
    expect(ofOne.text).toBe(coldPrivate.text);
    expect(ofOne.cached).toBeGreaterThan(400);
    // 4. After a restart.
    await start({ env });
    expect((await ask(second, { key: one, system: private2 })).cached).toBeGreaterThan(400);
  });

  it('share when that is configured', async () => {
    await start({ env: { ...env, HEARTH_PREFIX_SHARING: 'shared' } });
    const first = await ask(questions[0], { key: one });
    const second = await ask(questions[0], { key: two });
    expect(first.cached).toBe(0);
    expect(second).toEqual({ text: first.text, cached: expect.any(Number) });
    expect(second.cached).toBeGreaterThan(400);
  });
});

describe('a prompt of little cost', () => {
  // Nothing that the built-in model reads takes so long.
  const env = { HEARTH_PREFIX_VAULT_MIN: '1h', HEARTH_PARALLEL: '1' };

  it('outlives an unload and a restart when a request pins it, and not otherwise', async () => {
    await start({ env });
    const [first, second, third] = questions;
    const cold = await ask(second, { cachePrompt: false });
    for (const question of [first, second]) expect((await ask(question)).text).not.toBe('');
    await unload();
    expect((await ask(first, { cachePrompt: 'pin' })).cached).toBe(0);
    await unload();
    const reloaded = await ask(second);
    expect(reloaded.text).toBe(cold.text);
    expect(reloaded.cached).toBeGreaterThan(400);
    await start({ env });
    const restarted = await ask(third);
    expect(restarted.cached).toBeGreaterThan(400);
    expect(restarted.text).toBe((await ask(third, { cachePrompt: false })).text);
  });

  it('is neither reused nor kept when the request says so', async () => {
    await start({ env });
    const [first] = questions;
    const runs = [];
    for (const cachePrompt of [false, true, false, true]) runs.push(await ask(first, { cachePrompt }));
    expect(new Set(runs.map(({ text }) => text)).size).toBe(1);
    // There is one slot: what the third wanted gone is gone.
    expect(runs.map(({ cached }) => cached)).toEqual([0, 0, 0, 0]);
  });

  it('outlives a restart from the first time on when its beginning is configured', async () => {
    const config = join(data, 'hearth.yaml');
    const pinned = { model: 'hearth-guide-3m', prompt: system };
    await writeFile(config, JSON.stringify({ models: { pinned_prompts: [pinned, 'Somebody else'] } }));
    await start({ env, args: ['--config', config] });
    const [first, second] = questions;
    const cold = await ask(second, { cachePrompt: false });
    expect((await ask(first)).cached).toBe(0);
    await start({ env, args: ['--config', config] });
    const restarted = await ask(second);
    expect(restarted.text).toBe(cold.text);
    expect(restarted.cached).toBeGreaterThan(400);
  });
});
