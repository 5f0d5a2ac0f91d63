import { describe } from 'vitest';
import { modelInfo } from '../../support/fake-engine.ts';
import { type Example, testFieldMatrix } from '../field-matrix.ts';

type Fields = Record<string, unknown>;

const hi = { role: 'user', content: 'Hi' };
const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
const call = { function: { name: 'look', arguments: { a: 'sentinel' } } };
const look = { name: 'look', description: 'Sentinel', parameters: schema };

const chat = { model: 'tiny', messages: [hi], stream: false };
const inChat = (value: Fields) => ({ ...chat, ...value });
const inMessages = (message: Fields) => inChat({ messages: [hi, message, hi] });
const inTools = (tool: Fields) => inChat({ tools: [tool] });
const asGiven = (value: Fields) => value;

const otherModel = { model: 'second' };
const answered = {
  model: 'tiny',
  stream: true,
  format: schema,
  think: true,
  keep_alive: '77s',
  options: { temperature: 0.25 },
};
const needsOther = { top_logprobs: 'it is refused without logprobs; the next example' };
const logprobs = { value: { logprobs: true, top_logprobs: 7 }, others: { logprobs: false }, elsewhere: needsOther };
const imageFields = { width: 77, height: 77, steps: 77 };

const options: Fields = {
  num_predict: 77,
  seed: 77,
  top_k: 7,
  top_p: 0.25,
  min_p: 0.25,
  typical_p: 0.25,
  temperature: 0.25,
  repeat_penalty: 1.25,
  repeat_last_n: 7,
  presence_penalty: 0.25,
  frequency_penalty: 0.25,
  stop: ['sentinel'],
  num_ctx: 77,
  num_keep: 7,
  num_batch: 7,
  num_gpu: 7,
  num_thread: 7,
  main_gpu: 0,
  numa: true,
  low_vram: true,
  f16_kv: true,
  logits_all: true,
  vocab_only: true,
  use_mmap: true,
  use_mlock: true,
  embedding_only: true,
  tfs_z: 0.25,
  mirostat: 1,
  mirostat_tau: 1,
  mirostat_eta: 1,
  penalize_newline: true,
};
const ofModel = { num_ctx: 'models.test.ts: the model is loaded with it' };

const examples: Record<string, Example | Example[]> = {
  ChatRequest: [
    {
      value: {
        ...answered,
        messages: [{ role: 'user', content: 'Sentinel' }],
        tools: [{ type: 'function', function: look }],
      },
      at: inChat,
      others: otherModel,
    },
    { ...logprobs, at: inChat },
    { value: { top_logprobs: 7 }, at: (value: Fields) => inChat({ logprobs: true, ...value }) },
  ],
  GenerateRequest: [
    {
      url: '/api/generate',
      value: {
        ...answered,
        prompt: 'Sentinel',
        system: 'Sentinel',
        template: '{{ messages[0].content }}',
        context: [1, 2, 3],
        images: ['QUJD'],
        ...imageFields,
      },
      at: (value: Fields) => ({ model: 'tiny', prompt: 'Hi', ...value }),
      refused: { suffix: 'sentinel' },
      others: otherModel,
    },
    { url: '/api/generate', value: { raw: true }, at: (value: Fields) => ({ prompt: 'Hi', ...value }) },
    { ...logprobs, url: '/api/generate', at: (value: Fields) => ({ prompt: 'Hi', ...value }) },
  ],
  EmbedRequest: {
    url: '/api/embed',
    value: { model: 'tiny', input: ['sentinel'], truncate: false, keep_alive: '77s', dimensions: 2, options },
    at: asGiven,
    others: { input: ['another'] },
  },
  EmbeddingsRequest: {
    url: '/api/embeddings',
    value: { model: 'tiny', prompt: 'sentinel', keep_alive: '77s', options },
    at: asGiven,
    others: { prompt: 'another' },
  },
  ShowRequest: {
    url: '/api/show',
    value: { model: 'tiny', system: 'sentinel', template: 'sentinel', options },
    at: asGiven,
  },
  CreateRequest: {
    url: '/api/create',
    value: {
      model: 'sentinel',
      from: 'tiny',
      stream: false,
      system: 'Sentinel',
      template: '{{ messages[0].content }}',
      parameters: { temperature: 0.25 },
      license: 'sentinel',
    },
    at: asGiven,
    refused: { quantize: 'q4_0', messages: [hi], adapters: { a: 'sha256:0' } },
  },
  CopyRequest: { url: '/api/copy', value: { source: 'tiny', destination: 'sentinel' }, at: asGiven },
  DeleteRequest: { url: '/api/delete', method: 'DELETE', value: { model: 'sentinel' }, at: asGiven },
  PullRequest: {
    url: '/api/pull',
    value: { model: 'sentinel', insecure: true, stream: false },
    at: asGiven,
    others: { stream: true },
  },
  Message: [
    { value: { role: 'user', content: 'Sentinel', images: ['QUJD'] }, at: inMessages, others: { role: 'system' } },
    {
      value: { role: 'assistant', content: 'Sentinel', thinking: 'Sentinel', tool_calls: [call] },
      at: inMessages,
      others: { role: 'system' },
    },
    { value: { role: 'tool', content: 'Sentinel', tool_name: 'sentinel' }, at: inMessages, others: { role: 'user' } },
    {
      // Where they mean nothing.
      value: {
        role: 'system',
        content: 'Sentinel',
        images: ['QUJD'],
        thinking: 'x',
        tool_calls: [call],
        tool_name: 'x',
      },
      at: inMessages,
      others: { role: 'user' },
    },
  ],
  ToolCall: {
    value: call,
    at: (value: Fields) => inMessages({ role: 'assistant', content: '', tool_calls: [value] }),
    others: { function: { ...call.function, name: 'another' } },
  },
  'ToolCall.function': {
    value: call.function,
    at: (value: Fields) => inMessages({ role: 'assistant', content: '', tool_calls: [{ function: value }] }),
    others: { arguments: { a: 'other' } },
  },
  Tool: {
    value: { type: 'function', function: look },
    at: inTools,
    others: { type: 'web_search', function: { name: 'another' } },
  },
  'Tool.function': {
    value: { ...look, type: 'object' },
    at: (value: Fields) => inTools({ type: 'function', function: value }),
  },
  'Tool.function.parameters': {
    value: { ...schema, $defs: { a: { type: 'string' } }, items: { type: 'string' } },
    at: (parameters: Fields) => inTools({ type: 'function', function: { name: 'look', parameters } }),
  },
  Options: [
    { value: options, at: (value: Fields) => inChat({ options: value }), elsewhere: ofModel },
    {
      url: '/api/generate',
      value: options,
      at: (value: Fields) => ({ model: 'tiny', prompt: 'Hi', options: value }),
      elsewhere: ofModel,
    },
    {
      url: '/api/create',
      value: options,
      at: (value: Fields) => ({ model: 'sentinel', from: 'tiny', stream: false, parameters: value }),
    },
  ],
};

describe('the fields of Ollama', () => {
  testFieldMatrix({
    api: 'ollama',
    url: '/api/chat',
    examples,
    parts: [],
    prepare({ engine }) {
      engine.models = [modelInfo({ thinks: true }), modelInfo({ name: 'second', aliases: [], thinks: true })];
    },
    alsoReached: ({ store }) => [store.makes, store.made, store.removed, store.wishes].map((list) => list.splice(0)),
  });
});
