import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { chatBody } from '../../../src/http/ollama/chat/schema.ts';
import { embedBody, embeddingsBody } from '../../../src/http/ollama/embed/schema.ts';
import { sharedBody } from '../../../src/http/ollama/generate/schema.ts';
import { modelInfo } from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';

/** What becomes of a field: it reaches the provider, it is named as ignored, or the request is refused by its name. */
type Fate = { reaches: Partial<ChatRequest> | object } | 'ignored' | 'refused' | 'elsewhere';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
  harness.engine.models = [modelInfo({ thinks: true })];
});
afterAll(() => harness.close());

const chat = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], stream: false };
const prompt = { model: 'tiny', prompt: 'Hi', stream: false };
const schema = { type: 'object', properties: { a: { type: 'string' } } };
const said = (text: string) => ({ input: { messages: [{ role: 'user', content: [{ type: 'text', text }] }] } });

const common: Record<string, [value: unknown, Fate]> = {
  model: ['tiny', { reaches: { model: 'tiny' } }],
  // Said by its own tests: it decides the form of the answer.
  stream: [false, 'elsewhere'],
  format: [schema, { reaches: { format: { type: 'json-schema', schema } } }],
  think: ['high', { reaches: { reasoning: { mode: 'on', effort: 'high' } } }],
  keep_alive: ['90s', { reaches: { keepAliveMs: 90_000 } }],
  logprobs: [true, { reaches: { logprobs: { top: 0 } } }],
  top_logprobs: [3, 'refused'],
  truncate: [true, 'elsewhere'],
  shift: [false, 'ignored'],
  options: [{ temperature: 0.25 }, { reaches: { sampling: { temperature: 0.25 } } }],
};

const ofChat: typeof common = {
  ...common,
  messages: [[{ role: 'user', content: 'Sentinel' }], { reaches: said('Sentinel') }],
  tools: [
    [{ type: 'function', function: { name: 'f', description: 'D', parameters: schema } }],
    { reaches: { input: { tools: [{ name: 'f', description: 'D', parameters: schema }] } } },
  ],
};

const ofGenerate: typeof common = {
  ...common,
  truncate: [true, 'ignored'],
  prompt: ['Sentinel', { reaches: said('Sentinel') }],
  suffix: ['end', 'refused'],
  system: ['Be short.', { reaches: { input: { messages: [{ role: 'system' }, { role: 'user' }] } } }],
  template: ['{{ messages[0].content }}', { reaches: { input: { template: '{{ messages[0].content }}' } } }],
  raw: [true, { reaches: { input: { type: 'text', prompt: 'Hi' } } }],
  images: [
    ['QUJD'],
    {
      reaches: {
        input: { messages: [{ content: [{ type: 'text' }, { type: 'image', source: { base64: 'QUJD' } }] }] },
      },
    },
  ],
  context: [[1, 2, 3], 'ignored'],
  max_tokens: [7, { reaches: { maxTokens: 7 } }],
  temperature: [0.5, { reaches: { sampling: { temperature: 0.5 } } }],
  metadata: [{ a: 'b' }, { reaches: { metadata: { a: 'b' } } }],
};

const options: Record<string, [value: unknown, Fate]> = {
  num_ctx: [1_024, 'elsewhere'],
  num_predict: [9, { reaches: { maxTokens: 9 } }],
  temperature: [0.25, { reaches: { sampling: { temperature: 0.25 } } }],
  top_p: [0.5, { reaches: { sampling: { topP: 0.5 } } }],
  top_k: [7, { reaches: { sampling: { topK: 7 } } }],
  min_p: [0.125, { reaches: { sampling: { minP: 0.125 } } }],
  seed: [42, { reaches: { sampling: { seed: 42 } } }],
  repeat_penalty: [1.25, { reaches: { sampling: { repeatPenalty: 1.25, penaltyTokens: 64 } } }],
  repeat_last_n: [32, 'elsewhere'],
  frequency_penalty: [0.5, { reaches: { sampling: { frequencyPenalty: 0.5, penaltyTokens: 64 } } }],
  presence_penalty: [0.5, { reaches: { sampling: { presencePenalty: 0.5, penaltyTokens: 64 } } }],
  stop: ['END', { reaches: { stop: ['END'] } }],
  num_keep: [4, 'ignored'],
  typical_p: [0.5, { reaches: { sampling: { typicalP: 0.5 } } }],
  draft_num_predict: [4, 'ignored'],
  num_gpu: [1, 'ignored'],
  main_gpu: [0, 'ignored'],
  num_thread: [2, 'ignored'],
  num_batch: [64, 'ignored'],
  use_mmap: [true, 'ignored'],
  numa: [true, 'ignored'],
  low_vram: [true, 'ignored'],
  mirostat: [1, 'ignored'],
  mirostat_tau: [5, 'ignored'],
  mirostat_eta: [0.1, 'ignored'],
  tfs_z: [1, 'ignored'],
  penalize_newline: [true, 'ignored'],
  never_heard_of: [1, 'ignored'],
};

async function check(url: string, body: object, name: string, fate: Fate): Promise<void> {
  const before = harness.gateway.calls.length;
  const response = await harness.send('POST', url, body);
  const ignored = String(response.headers['x-hearth-ignored'] ?? '');
  if (fate === 'refused') {
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toContain(`"${name}"`);
    expect(harness.gateway.calls).toHaveLength(before);
    return;
  }
  expect(response.statusCode, response.body).toBe(200);
  if (fate === 'ignored') expect(ignored.split(', ')).toContain(name);
  else expect(ignored).toBe('');
  if (typeof fate === 'object') expect(harness.gateway.calls.at(-1)!.request).toMatchObject(fate.reaches);
}

describe('every field of a chat', () => {
  it('has its row here', () => {
    expect(Object.keys(ofChat).sort()).toEqual(
      Object.keys(chatBody.shape)
        .filter((name) => name !== 'name')
        .sort(),
    );
  });
  it.each(Object.entries(ofChat))('%s', (name, [value, fate]) =>
    check('/api/chat', { ...chat, [name]: value }, name, fate),
  );
  it.each(Object.entries(options))('options.%s', (name, [value, fate]) =>
    check('/api/chat', { ...chat, options: { [name]: value } }, `options.${name}`, fate),
  );
  it('unknown ones are named', () => check('/api/chat', { ...chat, tool_choice: 'auto' }, 'tool_choice', 'ignored'));
});

describe('every field of a prompt', () => {
  it('has its row here', () => {
    expect(Object.keys(ofGenerate).sort()).toEqual(
      Object.keys(sharedBody.shape)
        .filter((name) => name !== 'name')
        .sort(),
    );
  });
  it.each(Object.entries(ofGenerate))('%s', (name, [value, fate]) =>
    check('/api/generate', { ...prompt, [name]: value }, name, fate),
  );
});

describe('every field of a request for vectors', () => {
  it('has its test', () => {
    expect(Object.keys(embedBody.shape)).toEqual([
      'model',
      'name',
      'keep_alive',
      'options',
      'input',
      'truncate',
      'dimensions',
    ]);
    expect(Object.keys(embeddingsBody.shape)).toEqual(['model', 'name', 'keep_alive', 'options', 'prompt']);
  });

  it('reaches the provider or is named', async () => {
    const response = await harness.send('POST', '/api/embed', {
      name: 'tiny',
      input: ['a', 'bc'],
      keep_alive: 5,
      dimensions: 2,
      options: { num_ctx: 5 },
    });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-hearth-ignored']).toBe('options');
    expect(harness.gateway.wholeCalls.at(-1)!.request).toEqual({
      model: 'tiny',
      inputs: ['a', 'bc'],
      dimensions: 2,
      truncate: true,
      keepAliveMs: 5_000,
    });
    await harness.send('POST', '/api/embed', { input: 'a', truncate: false });
    expect(harness.gateway.wholeCalls.at(-1)!.request).not.toHaveProperty('truncate');
  });
});

describe('options', () => {
  const sampling = async (given: object) => {
    await harness.send('POST', '/api/chat', { ...chat, options: given });
    return harness.gateway.calls.at(-1)!.request;
  };

  it('of penalties have a window only where there is a penalty', async () => {
    expect((await sampling({ repeat_last_n: 32 })).sampling).toEqual({});
    expect((await sampling({ repeat_last_n: 32, repeat_penalty: 1.5 })).sampling).toMatchObject({ penaltyTokens: 32 });
    expect((await sampling({ repeat_last_n: 0, repeat_penalty: 1.5 })).sampling).toMatchObject({ penaltyTokens: 0 });
    expect((await sampling({ repeat_last_n: -1, repeat_penalty: 1.5 })).sampling).not.toHaveProperty('penaltyTokens');
  });

  it('without a limit or a seed of its own leave them to the provider', async () => {
    const request = await sampling({ num_predict: -1, seed: -1, typical_p: 1 });
    expect(request).not.toHaveProperty('maxTokens');
    expect(request.sampling).toEqual({});
  });

  it.each([
    ['temperature', 3],
    ['num_ctx', -1],
    ['num_predict', -3],
    ['top_p', 'x'],
    ['stop', 5],
  ])('%s = %j is refused by its name', async (name, value) => {
    await check('/api/chat', { ...chat, options: { [name]: value } }, `options.${name}`, 'refused');
  });
});
