import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { textOf } from '../../src/core/content.ts';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { answerEvents, finishEvent, startEvent } from '../support/fake-engine.ts';
import { runCli } from '../support/run-cli.ts';

let harness: Harness;
let config: Config;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
  const { port } = new URL(await harness.http.listen());
  config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
});
afterEach(() => harness.close());

const run = (words: string[], input = '') => runCli(config, ['run', ...words], input);

/** What the model was asked, by role. */
function asked(): string[][] {
  const { input } = harness.gateway.calls[0]!.request;
  return input.type === 'chat' ? input.messages.map(({ role, content }) => [role, textOf(content)]) : [];
}

describe('hearth run', () => {
  it('answers a prompt with the text alone', async () => {
    const printed = await run(['tiny', 'What', 'is', 'GGUF?', '--system', 'Be short.', '--temperature', '0']);
    expect(printed).toMatchObject({ text: 'Hello world\n', failures: [], notes: '', code: 0 });
    expect(asked()).toEqual([
      ['system', 'Be short.'],
      ['user', 'What is GGUF?'],
    ]);
    expect(harness.gateway.calls[0]!.request).toMatchObject({ model: 'tiny', sampling: { temperature: 0 } });
  });

  it.each<[string, string[], string, string]>([
    ['what is piped in', [], 'What is it?\n', 'What is it?'],
    ['a prompt with what is piped in behind it', ['tiny', 'Sum', 'up:'], 'a\nb\n', 'Sum up:\n\na\nb'],
  ])('asks %s', async (_title, words, input, expected) => {
    expect((await run(words, input)).code).toBe(0);
    expect(asked()).toEqual([['user', expected]]);
  });

  it('asks the default model where none is named, and nothing where nothing is said', async () => {
    await run([], 'Hi');
    expect(harness.gateway.calls[0]!.request.model).toBe('default');
    expect(await run([], ' \n')).toMatchObject({ code: 1, failures: ['There is no prompt: nothing was piped in.'] });
  });

  it('says where the model goes when a prompt stands in its place', async () => {
    expect(await run(['What is GGUF?'])).toMatchObject({
      code: 1,
      failures: ['The model comes before the prompt. Try "hearth run default PROMPT".'],
    });
  });

  it('hands on what the answer is held to', async () => {
    await run([
      'tiny',
      'Hi',
      '--max-tokens',
      '7',
      '--set',
      'top_k=3',
      '--set',
      'stop=END',
      '--format',
      'json',
      '--no-think',
    ]);
    expect(harness.gateway.calls[0]!.request).toMatchObject({
      maxTokens: 7,
      sampling: { topK: 3 },
      stop: ['END'],
      format: { type: 'json' },
      reasoning: { mode: 'off' },
    });
  });

  it('leaves out what a terminal would obey', async () => {
    harness.gateway.play(() => answerEvents(['a\u001b[2J', '\u001b]0;x\u0007b']));
    expect((await run(['tiny', 'Hi'])).text).toBe('a[2J]0;xb\n');
  });

  it('says as JSON what the answer was and took', async () => {
    harness.gateway.play(() => [
      startEvent(),
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'Hm.' },
      { type: 'reasoning-end', blockId: 0, signature: null },
      { type: 'text-start', blockId: 1 },
      { type: 'text-delta', blockId: 1, text: 'Yes' },
      { type: 'text-end', blockId: 1 },
      finishEvent(3, 'length'),
    ]);
    const { text, failures, code } = await run(['tiny', 'Hi', '--json']);
    expect({ failures, code }).toEqual({ failures: [], code: 0 });
    expect(JSON.parse(text)).toEqual({
      model: 'tiny',
      provider: 'local',
      text: 'Yes',
      thinking: 'Hm.',
      finish_reason: 'length',
      left_out_messages: 0,
      usage: { prompt_tokens: 5, completion_tokens: 3 },
      timings: {
        first_token_ms: expect.any(Number),
        wait_ms: 0,
        prompt_ms: 1,
        answer_ms: 2,
        total_ms: expect.any(Number),
        tokens_per_second: 1_000,
      },
    });
  });

  it('says on the error stream what the text does not show', async () => {
    harness.gateway.play(() => answerEvents(['a'], 'length'));
    const { text, failures, notes } = await run(['tiny', 'Hi', '--verbose', '--set', 'num_ctx=0']);
    expect(text).toBe('a\n');
    expect(failures).toEqual(['the answer ended at the limit of tokens, or the context was full']);
    expect(notes).toMatch(/^first token {2}\d+ ms\nwaited .*\nprompt {7}5 tokens, 1 ms\nanswer {7}1 tokens/);
  });

  it.each([
    ['tini', 'There is no model "tini". Did you mean "tiny"?'],
    ['larg', 'There is no model "larg". "hearth pull large" fetches it (200 MB).'],
    [
      'tiny:q2_k',
      'There is no model "tiny:q2_k". "tiny" is here, without this quantization; "hearth show tiny" has the list.',
    ],
    [
      'nothing-like-it',
      'There is no model "nothing-like-it". Here is tiny. "hearth search nothing-like-it" looks for others.',
    ],
  ])('of a model that is not there, %s, says what may be meant', async (name, expected) => {
    harness.gateway.play(() => {
      throw new AppError('model_not_found', `There is no model "${name}".`, { field: 'model' });
    });
    expect(await run([name, 'Hi'])).toMatchObject({ text: '', failures: [expected], code: 1 });
  });

  it('ends with 1 when the answer breaks off, behind what was said', async () => {
    harness.gateway.play(async function* () {
      yield* answerEvents(['So far']).slice(0, 3);
      throw new AppError('worker_crashed', 'The model crashed.');
    });
    expect(await run(['tiny', 'Hi'])).toMatchObject({ text: 'So far\n', failures: ['The model crashed.'], code: 1 });
  });

  it('marks what may leave the house', async () => {
    await run(['tiny', 'Hi', '--cloud', 'never']);
    expect(harness.gateway.calls[0]!.context).toMatchObject({ routing: { cloud: 'never' } });
  });

  it('says how to start a server where none runs, and which key is missing', async () => {
    await harness.close();
    const { failures, code } = await run(['tiny', 'Hi']);
    expect(failures).toEqual([
      `No Hearth runs at http://127.0.0.1:${config.server.port}. Start one with "hearth" in another window, or set HEARTH_URL to the one that is meant.`,
    ]);
    expect(code).toBe(1);
    harness = await createHarness({ apiKeys: ['another-key'] });
    const { port } = new URL(await harness.http.listen());
    config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
    expect((await run(['tiny', 'Hi'])).failures).toEqual([
      'The API key is not valid. Set HEARTH_API_KEY to a key of that server.',
    ]);
  });
});
