import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasReasoning } from '../../../src/store/gguf/thinking.ts';
import { createChatTemplate } from '../../../src/worker/prompt/template.ts';
import { referenceModels } from '../../support/reference.ts';

const reference = referenceModels();
const folder = 'folder' in reference ? join(reference.folder, 'templates') : null;

/** Form of calls, and the opening tag of reasoning, `-` for a template without reasoning. */
const expected: Record<string, [form: string, reasoning: string]> = {
  'Apertus-8B-Instruct': ['apertus', '<|inner_prefix|>'],
  'Apriel-1.6-15b-Thinker-fixed': ['apriel', 'Here are my reasoning steps:\n'],
  'Bielik-11B-v3.0-Instruct': ['hermes', '<think>'],
  'ByteDance-Seed-OSS': ['qwen-coder', '<seed:think>'],
  'CohereForAI-c4ai-command-r-plus-tool_use': ['command-action', '-'],
  'CohereForAI-c4ai-command-r7b-12-2024-tool_use': ['command', '<|START_THINKING|>'],
  'GLM-4.6': ['glm', '<think>'],
  'GLM-4.7-Flash': ['glm', '<think>'],
  'GigaChat3-10B-A1.8B': ['gigachat', '-'],
  // The last four know no tools, or take them in variables of their own.
  'HuggingFaceTB-SmolLM3-3B': ['generic', '<think>'],
  'deepseek-ai-DeepSeek-R1-Distill-Llama-8B': ['generic', '<think>'],
  'deepseek-ai-DeepSeek-R1-Distill-Qwen-32B': ['generic', '<think>'],
  'fireworks-ai-llama-3-firefunction-v2': ['generic', '-'],
  'google-gemma-2-2b-it': ['generic', '-'],
  'llama-cpp-rwkv-world': ['generic', '-'],
  'microsoft-Phi-3.5-mini-instruct': ['generic', '-'],
  'Kimi-K2-Thinking': ['kimi', '<think>'],
  'Kimi-K3': ['kimi-tags', '<|open|>think<|sep|>'],
  'LFM2-8B-A1B': ['lfm', '-'],
  'LFM2.5-8B-A1B': ['lfm', '<think>'],
  'MiniMax-M1': ['minimax-lines', '-'],
  'MiniMax-M2': ['minimax', '<think>'],
  'MiniMax-M3': ['minimax-tree', '<mm:think>'],
  'Mistral-Small-3.2-24B-Instruct-2506': ['mistral', '-'],
  'NousResearch-Hermes-3-Llama-3.1-8B-tool_use': ['hermes', '-'],
  'Qwen-QwQ-32B': ['hermes', '<think>'],
  'Qwen-Qwen2.5-7B-Instruct': ['hermes', '-'],
  'Qwen-Qwen3-0.6B': ['hermes', '<think>'],
  'Qwen3-Coder': ['qwen-coder', '-'],
  'Qwen3.5-4B': ['qwen-coder', '<think>'],
  'Spark2.5': ['glm', '<think>'],
  'StepFun3.5-Flash': ['qwen-coder', '<think>'],
  'deepseek-ai-DeepSeek-V4-Flash-0731': ['dsml', '<think>'],
  'deepseek-ai-DeepSeek-V4': ['dsml', '<think>'],
  'google-gemma-4-31B-it': ['gemma', '<|channel>thought\n'],
  'ibm-granite-granite-4.0': ['hermes', '-'],
  'inclusionai-ling-3.0-flash': ['glm', '<think>'],
  'llama-cpp-deepseek-r1': ['deepseek', '<think>'],
  'meta-llama-Llama-3.1-8B-Instruct': ['llama', '-'],
  'meta-llama-Llama-3.2-3B-Instruct': ['llama', '-'],
  'meta-llama-Llama-3.3-70B-Instruct': ['llama', '-'],
  'mistralai-Ministral-3-14B-Reasoning-2512': ['mistral', '[THINK]'],
  'mistralai-Mistral-Nemo-Instruct-2407': ['mistral', '-'],
  'moonshotai-Kimi-K2': ['kimi', '-'],
  'muse-glimmer': ['atem', 'to=self<|message|>'],
  'openai-gpt-oss-120b': ['harmony', '<|channel|>analysis<|message|>'],
  'poolside-Laguna-XS-2.1': ['glm', '<think>'],
  'poolside-Laguna-XS.2': ['glm', '<think>'],
  'unsloth-Apriel-1.5': ['apriel', '-'],
};

const templateOf = (source: string) =>
  createChatTemplate({
    source,
    architecture: 'any',
    tokenizerModel: 'gpt2',
    controlTexts: [],
    userDefinedTexts: [],
    bosText: '<bos>',
    eosText: '<eos>',
  });

const tools = [
  {
    name: 'get_weather',
    description: 'The weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', description: 'A city' } },
      required: ['city'],
    },
  },
];
const said = (role: 'user' | 'assistant', text: string) => ({ role, content: [{ type: 'text' as const, text }] });
const history = [
  said('user', 'w'),
  {
    ...said('assistant', ''),
    role: 'assistant' as const,
    toolCalls: [
      { id: 'call_a', name: 'get_weather', arguments: { city: 'Oslo' } },
      { id: 'call_b', name: 'get_weather', arguments: { city: 'Bergen' } },
    ],
  },
  {
    role: 'tool' as const,
    content: [{ type: 'text' as const, text: 'sunny' }],
    toolCallId: 'call_a',
    name: 'get_weather',
  },
  {
    role: 'tool' as const,
    content: [{ type: 'text' as const, text: 'rainy' }],
    toolCallId: 'call_b',
    name: 'get_weather',
  },
];

/** These cannot render tools at all, by the reference implementation either. */
const unrendered = ['fireworks-ai-llama-3-firefunction-v2', 'Kimi-K2-Thinking', 'llama-cpp-deepseek-r1'];

describe.skipIf(folder === null)('the form of a template', () => {
  const names = folder === null ? [] : readdirSync(folder).map((file) => file.replace(/\.jinja$/, ''));
  const sourceOf = (name: string) => readFileSync(join(folder!, `${name}.jinja`), 'utf8');

  it('is known for every template there is', () => {
    expect(names.toSorted()).toEqual(Object.keys(expected).toSorted());
  });

  it.each(names)('of %s, and how it reasons, are told by its texts', (name) => {
    const { form, reasoning } = templateOf(sourceOf(name));
    const [wanted, tag] = expected[name]!;
    expect(form.name).toBe(wanted);
    if (tag !== '-') {
      expect(reasoning.open).toBe(tag);
      expect(hasReasoning(sourceOf(name))).toBe(true);
    }
  });

  it.each(names.filter((name) => !unrendered.includes(name)))(
    'of %s is the one that it writes its own history in: both calls and both results are in the prompt',
    (name) => {
      const template = templateOf(sourceOf(name));
      const text = template.render({ messages: history, tools }).pieces.join('');
      for (const part of ['Oslo', 'Bergen', 'sunny', 'rainy']) expect(text).toContain(part);
      expect(template.form.opens.some((marker) => text.includes(marker)) || template.form.opensBare !== undefined).toBe(
        true,
      );
    },
  );
});
