import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metric, postJson } from '../support/client.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const label = `{model="${builtInModel}"}`;

/** A long system prompt that several users share, and one user's own question. */
const chat = (system: string, question: string) => ({
  model: 'default',
  temperature: 0,
  messages: [
    { role: 'system', content: system },
    { role: 'user', content: question },
  ],
});
const questions = [
  'What is GGUF?',
  'Hello!',
  'What is Hearth?',
  'What is prefill?',
  'Who are you?',
  'Thanks!',
  'What is a KV cache?',
  'Where are the metrics?',
];

interface Completion {
  choices: { message: { content: string } }[];
  usage: { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
}

describe('a prefix that was seen', () => {
  let server: RunningServer;
  const evaluated = () => metric(server.baseUrl, `hearth_prompt_tokens_evaluated_total${label}`);
  const complete = async (body: object): Promise<Completion> => {
    const answer = await postJson(`${server.baseUrl}/v1/chat/completions`, body);
    expect(answer.status).toBe(200);
    return answer.body as Completion;
  };
  const reload = async (parallel: number) => {
    await postJson(`${server.baseUrl}/models/default/unload`, {});
    expect((await postJson(`${server.baseUrl}/models/default/load`, { parallel })).status).toBe(200);
  };

  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('is evaluated once for eight simultaneous requests, and each gets the answer of a cold run', async () => {
    const system = `You are Hearth, a small helpful assistant. ${'The house has many rooms. '.repeat(60)}`;
    const cold: string[] = [];
    const sizes: number[] = [];
    for (const question of questions) {
      await reload(1);
      const { choices, usage } = await complete(chat(system, question));
      expect(usage.prompt_tokens_details.cached_tokens).toBe(0);
      cold.push(choices[0]!.message.content);
      sizes.push(usage.prompt_tokens);
    }
    await reload(8);
    const before = await evaluated();
    const answers = await Promise.all(questions.map((question) => complete(chat(system, question))));
    expect(answers.map((answer) => answer.choices[0]!.message.content)).toEqual(cold);
    const computed = (await evaluated()) - before;
    const cached = answers.map((answer) => answer.usage.prompt_tokens_details.cached_tokens);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    // usage tells the truth: what is not cached was computed, token for token.
    expect(computed).toBe(total - cached.reduce((sum, tokens) => sum + tokens, 0));
    const prefix = Math.max(...cached);
    const tails = sizes.reduce((sum, size) => sum + size - prefix, 0);
    expect(prefix).toBeGreaterThan(400);
    expect(computed).toBeLessThanOrEqual(1.15 * (prefix + tails));
  });

  it('is not computed again in the next turn of a conversation', async () => {
    await reload(2);
    const first = await complete(chat('You are Hearth, a small helpful assistant.', 'My name is Dora.'));
    const messages = [
      ...chat('You are Hearth, a small helpful assistant.', 'My name is Dora.').messages,
      { role: 'assistant', content: first.choices[0]!.message.content },
      { role: 'user', content: 'What is my name?' },
    ];
    const second = await complete({ model: 'default', temperature: 0, messages });
    expect(second.choices[0]!.message.content).toBe('Your name is Dora.');
    expect(second.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(first.usage.prompt_tokens);
  });
});

describe('a prefix that was seen twice, over an unload and a restart', () => {
  const system = `You are Hearth, a small helpful assistant. ${'The house has many rooms. '.repeat(80)}`;
  const env = { HEARTH_PREFIX_VAULT_MIN: '1ms', HEARTH_PARALLEL: '2' };
  let data: string;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'hearth-vault-'));
  });
  afterAll(async () => {
    await rm(data, { recursive: true, force: true });
  });
  const complete = async (baseUrl: string, question: string): Promise<Completion> =>
    (await postJson(`${baseUrl}/v1/chat/completions`, chat(system, question))).body as Completion;
  const shown = (answer: Completion) => ({
    text: answer.choices[0]!.message.content,
    cached: answer.usage.prompt_tokens_details.cached_tokens,
  });

  it('is loaded from disk, and the answer is the one of a cold run', async () => {
    const first = await startServer({ env, args: ['--data', data] });
    const cold = shown(await complete(first.baseUrl, 'What is GGUF?'));
    expect(cold.cached).toBe(0);
    const warm = shown(await complete(first.baseUrl, 'What is prefill?'));
    await postJson(`${first.baseUrl}/models/default/unload`, {});
    const reloaded = shown(await complete(first.baseUrl, 'What is GGUF?'));
    expect(reloaded.text).toBe(cold.text);
    expect(reloaded.cached).toBeGreaterThan(500);
    await first.stop();

    const second = await startServer({ env, args: ['--data', data] });
    const restarted = shown(await complete(second.baseUrl, 'What is prefill?'));
    expect(restarted.text).toBe(warm.text);
    expect(restarted.cached).toBeGreaterThan(500);
    await second.stop();
  });

  it('is computed again, with the right answer, when what lies on disk is damaged', async () => {
    const folder = join(data, 'prefixes', 'hearth-guide-3m_q8_0');
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const states = files.filter((file) => file.isFile());
    expect(states.length).toBeGreaterThanOrEqual(2);
    for (const file of states) {
      const path = join(file.parentPath, file.name);
      const bytes = await readFile(path);
      bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
      await writeFile(path, bytes);
    }
    const server = await startServer({ env, args: ['--data', data] });
    const answer = shown(await complete(server.baseUrl, 'What is GGUF?'));
    expect(answer.text).toMatch(/^GGUF is a file format for language models\./);
    expect(answer.cached).toBe(0);
    await server.stop();
  });
});
