import type { ProviderPreset } from '../../config/providers.ts';
import type { OutputFormat, ReasoningWish, Sampling, ToolChoice } from '../../core/chat.ts';

export type Effort = NonNullable<Extract<ReasoningWish, { mode: 'on' }>['effort']>;

/** Fields of `Sampling` that are one field of a body. */
type PlainSampling = Exclude<keyof Sampling, 'xtc' | 'dry'>;

/** How it is asked to leave thinking out: by that word; `least`: it cannot, and thinks as little as it can; null: unknown. */
export type ReasoningOff = 'none' | 'least' | null;

/** How thinking is asked for. */
export type ReasoningAsk =
  /** There is no switch, or none is known: a wish is named as not honoured. */
  | { by: 'nothing' }
  /** `reasoning_effort`. `efforts`: least first. */
  | { by: 'effort'; efforts: readonly Effort[]; off: ReasoningOff }
  /** `reasoning_effort`, or a budget in `extra_body.google.thinking_config`, which exclude each other. */
  | { by: 'google'; efforts: readonly Effort[]; off: ReasoningOff }
  /** `thinking: {type}` beside `reasoning_effort`. */
  | { by: 'thinking-object'; efforts: readonly Effort[] }
  /** `enable_thinking` and `thinking_budget`. */
  | { by: 'enable-thinking' }
  /** The switch of the model's template, beside `reasoning_effort`. */
  | { by: 'template'; efforts: readonly Effort[] };

/** What of a row depends on the model; the first whose pattern fits counts, and what it leaves out is as the service has it. */
export interface ModelRow {
  model: RegExp;
  reasoning?: ReasoningAsk;
  /** Whether it thinks when nothing is said about it. */
  reasonsByItself?: boolean;
  /** Whether it takes sampling fields while it thinks. */
  samplesWhileReasoning?: boolean;
  mostStops?: number;
  readsImages?: boolean;
}

/** What a service that speaks OpenAI's dialect takes, and how it words what it gives. */
export interface ServiceRow {
  /** When and where the facts were read. What is not known is set as if the service did not have it. */
  asOf: { date: string; source: string };
  /** What stands before `/chat/completions`; null: only the configuration knows. */
  baseUrl: string | null;
  /** Endpoints beside `/chat/completions`, all under the base address. */
  endpoints: {
    models: boolean;
    completions: boolean;
    responses: boolean;
    embeddings: boolean;
    rerank: boolean;
    decisions: boolean;
    /** `/files` and `/batches`, of which a list shows the metadata. */
    batches: boolean;
    /** Counts the prompt of a chat body: `/chat/completions/input_tokens`, or `/tokenize` at the root of the host. */
    count: 'input-tokens' | 'tokenize' | null;
    /**
     * Whose `/tokenize` and `/detokenize` it has at the root of its host: llama.cpp's, vLLM's, or ours, which is as the former and
     * reads conversations as the latter; null: none.
     */
    tokens: 'llama' | 'vllm' | 'hearth' | null;
  };
  maxTokens: 'max_tokens' | 'max_completion_tokens';
  /** Whether it reads the other name as well; else a relayed body gets its own name beside it. */
  takesBothLimits: boolean;
  /** Whether 0 is taken, which only reads the prompt. */
  takesNoTokens: boolean;
  mostStops: number;
  mostChoices: number;
  /** Names of the sampling fields that are taken. */
  sampling: Partial<Record<PlainSampling, string>>;
  /** Takes `xtc_*` and `dry_*` as llama.cpp names them. */
  takesLlamaSampling: boolean;
  formats: readonly OutputFormat['type'][];
  /** The field of a grammar, where `formats` has it. */
  grammar: 'grammar' | 'structured_outputs';
  /** Most alternatives of log probabilities; null: there are none. */
  mostLogprobs: number | null;
  tools: {
    choices: readonly ToolChoice['type'][];
    parallelSwitch: boolean;
    strict: boolean;
  };
  readsImages: boolean;
  readsDocuments: boolean;
  /** Usage of a stream: `asked` with `stream_options.include_usage`, or there anyway. */
  streamUsage: 'asked' | 'always';
  /** Completion tokens leave out those of reasoning; only the total has them. */
  completionLacksReasoning: boolean;
  reasoning: ReasoningAsk;
  /** Null: unknown. */
  reasonsByItself: boolean | null;
  samplesWhileReasoning: boolean;
  /** Field of an assistant's message in which reasoning of earlier turns goes back; null: it has none. */
  reasoningHistory: 'reasoning_content' | 'reasoning' | null;
  /** How an assistant's last message is gone on with; null: it is not. `implied`: it always is. */
  prefill: 'continue_final_message' | 'partial' | 'implied' | null;
  /** `chat_template_kwargs`. */
  templateOptions: boolean;
  /** `chat_template`. */
  template: boolean;
  prediction: boolean;
  endUserId: 'safety_identifier' | 'user' | null;
  serviceTier: boolean;
  metadata: boolean;
  /** `keep_alive`. */
  keepAlive: boolean;
  /** `cache_prompt`; `pin`: with this value too. */
  promptCache: 'pin' | 'switch' | null;
  /** Inputs of one request for vectors: how many, and whether they may be tokens. */
  embeddings: { mostInputs: number; takesTokens: boolean };
  /** Scores of `/rerank` are logits instead of 0 to 1. */
  ranksByLogit: boolean;
  /** Whether it answers nobody without a key. */
  needsKey: boolean;
  /** Calls carry signatures in `extra_content` that must come back with the next turn. */
  signsCalls: boolean;
  models: readonly ModelRow[];
}

const openaiSampling = {
  temperature: 'temperature',
  topP: 'top_p',
  seed: 'seed',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  logitBias: 'logit_bias',
} as const;

const allChoices = ['auto', 'none', 'required', 'tool'] as const;

/** What every service of the dialect is thought to have, and nothing beside it. */
const careful: ServiceRow = {
  asOf: { date: '2026-11-29', source: 'what all services of the dialect have in common' },
  baseUrl: null,
  endpoints: {
    models: true,
    completions: false,
    responses: false,
    embeddings: true,
    rerank: false,
    decisions: false,
    batches: false,
    count: null,
    tokens: null,
  },
  maxTokens: 'max_tokens',
  takesBothLimits: false,
  takesNoTokens: false,
  mostStops: 4,
  mostChoices: 1,
  sampling: { temperature: 'temperature', topP: 'top_p' },
  takesLlamaSampling: false,
  formats: ['text', 'json'],
  grammar: 'grammar',
  mostLogprobs: null,
  tools: { choices: allChoices, parallelSwitch: false, strict: false },
  readsImages: false,
  readsDocuments: false,
  streamUsage: 'asked',
  completionLacksReasoning: false,
  reasoning: { by: 'nothing' },
  reasonsByItself: null,
  samplesWhileReasoning: true,
  reasoningHistory: null,
  prefill: null,
  templateOptions: false,
  template: false,
  prediction: false,
  endUserId: null,
  serviceTier: false,
  metadata: false,
  keepAlive: false,
  promptCache: null,
  embeddings: { mostInputs: 32, takesTokens: false },
  ranksByLogit: false,
  needsKey: false,
  signsCalls: false,
  models: [],
};

const openai: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'types of openai 7.59.0; openai-openapi 2.3.0' },
  baseUrl: 'https://api.openai.com/v1',
  endpoints: { ...careful.endpoints, completions: true, responses: true, batches: true },
  maxTokens: 'max_completion_tokens',
  takesBothLimits: true,
  embeddings: { mostInputs: 2_048, takesTokens: true },
  needsKey: true,
  mostChoices: 8,
  sampling: openaiSampling,
  formats: ['text', 'json', 'json-schema'],
  mostLogprobs: 20,
  tools: { choices: [...allChoices, 'allowed'], parallelSwitch: true, strict: true },
  readsImages: true,
  readsDocuments: true,
  // A model that is not known is newer than this table, and the newer ones think.
  reasoning: { by: 'effort', efforts: ['low', 'medium', 'high'], off: null },
  reasonsByItself: true,
  samplesWhileReasoning: false,
  prediction: true,
  endUserId: 'safety_identifier',
  serviceTier: true,
  metadata: true,
  models: [
    {
      model: /^(ft:)?(gpt-4|gpt-3\.5|chatgpt-4o|davinci|babbage)/,
      reasoning: { by: 'nothing' },
      reasonsByItself: false,
      samplesWhileReasoning: true,
    },
    {
      model: /^(ft:)?o\d/,
      reasoning: { by: 'effort', efforts: ['low', 'medium', 'high'], off: 'least' },
      mostStops: 0,
    },
    {
      model: /^gpt-5(-|$)/,
      reasoning: { by: 'effort', efforts: ['minimal', 'low', 'medium', 'high'], off: 'least' },
    },
    {
      model: /^gpt-5\.1/,
      reasoning: { by: 'effort', efforts: ['low', 'medium', 'high'], off: 'none' },
      reasonsByItself: false,
    },
    {
      model: /^gpt-5\.\d/,
      reasoning: { by: 'effort', efforts: ['low', 'medium', 'high', 'xhigh'], off: 'none' },
      reasonsByItself: false,
    },
  ],
};

const gemini: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'https://ai.google.dev/gemini-api/docs/openai' },
  baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
  takesBothLimits: true,
  needsKey: true,
  embeddings: { mostInputs: 100, takesTokens: false },
  mostStops: 5,
  mostChoices: 8,
  formats: ['text', 'json', 'json-schema'],
  readsImages: true,
  completionLacksReasoning: true,
  reasoning: { by: 'google', efforts: ['low', 'high'], off: 'least' },
  reasonsByItself: true,
  signsCalls: true,
  models: [
    { model: /gemini-2\.5-pro/, reasoning: { by: 'google', efforts: ['low', 'medium', 'high'], off: 'least' } },
    { model: /gemini-2\.5/, reasoning: { by: 'google', efforts: ['low', 'medium', 'high'], off: 'none' } },
    { model: /gemini-[12]\./, reasoning: { by: 'nothing' }, reasonsByItself: false },
  ],
};

const deepseek: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'https://api-docs.deepseek.com/guides/thinking_mode' },
  baseUrl: 'https://api.deepseek.com/v1',
  endpoints: { ...careful.endpoints, embeddings: false },
  needsKey: true,
  mostStops: 16,
  sampling: {
    temperature: 'temperature',
    topP: 'top_p',
    frequencyPenalty: 'frequency_penalty',
    presencePenalty: 'presence_penalty',
  },
  mostLogprobs: 20,
  reasoning: { by: 'thinking-object', efforts: ['low', 'high', 'max'] },
  reasonsByItself: true,
  // It takes them in silence and does nothing with them.
  samplesWhileReasoning: false,
  reasoningHistory: 'reasoning_content',
  models: [{ model: /^deepseek-chat$/, reasonsByItself: false }],
};

const qwen: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'https://help.aliyun.com/en/model-studio/deep-thinking' },
  baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
  needsKey: true,
  embeddings: { mostInputs: 10, takesTokens: false },
  mostChoices: 4,
  sampling: {
    temperature: 'temperature',
    topP: 'top_p',
    topK: 'top_k',
    seed: 'seed',
    presencePenalty: 'presence_penalty',
    repeatPenalty: 'repetition_penalty',
  },
  // A choice that must be made is sent to it as "auto", says its document.
  tools: { choices: ['auto', 'none', 'tool'], parallelSwitch: true, strict: false },
  reasoning: { by: 'enable-thinking' },
  reasonsByItself: true,
  prefill: 'partial',
  models: [{ model: /-(vl|omni|ocr)|^qvq/, readsImages: true }],
};

const vllm: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'https://docs.vllm.ai/en/v0.26.0/ (serving, reasoning outputs)' },
  endpoints: {
    ...careful.endpoints,
    completions: true,
    responses: true,
    rerank: true,
    count: 'tokenize',
    tokens: 'vllm',
  },
  takesBothLimits: true,
  embeddings: { mostInputs: 512, takesTokens: true },
  mostStops: 16,
  mostChoices: 8,
  sampling: {
    ...openaiSampling,
    topK: 'top_k',
    minP: 'min_p',
    repeatPenalty: 'repetition_penalty',
    ignoreEnd: 'ignore_eos',
    minTokens: 'min_tokens',
  },
  formats: ['text', 'json', 'json-schema', 'grammar'],
  grammar: 'structured_outputs',
  mostLogprobs: 20,
  tools: { choices: allChoices, parallelSwitch: true, strict: false },
  reasoning: { by: 'template', efforts: ['low', 'medium', 'high'] },
  reasonsByItself: true,
  reasoningHistory: 'reasoning',
  prefill: 'continue_final_message',
  templateOptions: true,
  template: true,
};

/** What llama.cpp's own server takes beside OpenAI's, which Hearth takes under the same names. */
const llamaSampling = {
  ...openaiSampling,
  topK: 'top_k',
  minP: 'min_p',
  repeatPenalty: 'repeat_penalty',
  ignoreEnd: 'ignore_eos',
} as const;

const llamaServer: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'llama.cpp tools/server/README.md, commit 00dc8057' },
  baseUrl: 'http://127.0.0.1:8080/v1',
  endpoints: {
    ...careful.endpoints,
    completions: true,
    responses: true,
    rerank: true,
    count: 'input-tokens',
    tokens: 'llama',
  },
  takesBothLimits: true,
  embeddings: { mostInputs: 512, takesTokens: true },
  takesNoTokens: true,
  mostStops: 16,
  ranksByLogit: true,
  sampling: { ...llamaSampling, penaltyTokens: 'repeat_last_n', typicalP: 'typical_p' },
  takesLlamaSampling: true,
  formats: ['text', 'json', 'json-schema', 'grammar'],
  mostLogprobs: 20,
  tools: { choices: ['auto', 'none', 'required'], parallelSwitch: true, strict: false },
  reasoning: { by: 'template', efforts: ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'] },
  reasonsByItself: true,
  reasoningHistory: 'reasoning_content',
  prefill: 'implied',
  templateOptions: true,
  promptCache: 'switch',
};

const ollama: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'https://docs.ollama.com/api/openai-compatibility' },
  baseUrl: 'http://127.0.0.1:11434/v1',
  endpoints: { ...careful.endpoints, completions: true, responses: true },
  mostStops: 16,
  sampling: {
    temperature: 'temperature',
    topP: 'top_p',
    seed: 'seed',
    frequencyPenalty: 'frequency_penalty',
    presencePenalty: 'presence_penalty',
  },
  formats: ['text', 'json', 'json-schema'],
  mostLogprobs: 20,
  // It takes `tool_choice` and leaves it to the model.
  tools: { choices: ['auto'], parallelSwitch: false, strict: false },
  reasoning: { by: 'effort', efforts: ['low', 'medium', 'high', 'max'], off: 'none' },
  reasonsByItself: true,
  reasoningHistory: 'reasoning',
};

const hearth: ServiceRow = {
  ...careful,
  asOf: { date: '2026-11-29', source: 'docs/dialect-openai.md' },
  endpoints: {
    models: true,
    completions: true,
    responses: true,
    embeddings: true,
    rerank: true,
    decisions: true,
    batches: true,
    count: 'input-tokens',
    tokens: 'hearth',
  },
  takesBothLimits: true,
  embeddings: { mostInputs: 512, takesTokens: true },
  takesNoTokens: true,
  mostStops: 16,
  mostChoices: 8,
  sampling: { ...llamaSampling, minTokens: 'min_tokens' },
  takesLlamaSampling: true,
  formats: ['text', 'json', 'json-schema', 'grammar'],
  mostLogprobs: 20,
  tools: { choices: [...allChoices, 'allowed'], parallelSwitch: true, strict: true },
  reasoning: { by: 'effort', efforts: ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'], off: 'none' },
  reasonsByItself: true,
  reasoningHistory: 'reasoning_content',
  prefill: 'continue_final_message',
  templateOptions: true,
  prediction: true,
  keepAlive: true,
  promptCache: 'pin',
};

/** One row for each preset. */
export const services: Readonly<Record<ProviderPreset, ServiceRow>> = {
  openai,
  gemini,
  deepseek,
  qwen,
  vllm,
  'llama-server': llamaServer,
  ollama,
  hearth,
  custom: careful,
};

/** The row of a service as it counts for one of its models. */
export function rowFor(service: ServiceRow, model: string): ServiceRow {
  const found = service.models.find((row) => row.model.test(model));
  if (!found) return service;
  const { model: _pattern, ...facts } = found;
  return { ...service, ...facts };
}

/** Whether thinking can be left out, without which the first token is no answer. */
export function answersAtOnce({ reasonsByItself, reasoning }: ServiceRow): boolean {
  if (reasonsByItself === false) return true;
  if (reasoning.by === 'effort' || reasoning.by === 'google') return reasoning.off === 'none';
  return reasoning.by !== 'nothing';
}
