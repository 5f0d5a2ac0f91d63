import { describe, expect, it } from 'vitest';
import type { ChatInput, ChatRequest, Sampling, ToolDefinition } from '../../../src/core/chat.ts';
import type {
  ContentPart,
  DocumentPart,
  ImagePart,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { capabilityRow } from '../../../src/providers/bedrock/capability-table.ts';
import { toWire } from '../../../src/providers/bedrock/to-wire.ts';

/**
 * What becomes of a field: its value is found in what is sent, the request is refused with its path, its path is named
 * among the warnings, or (`honoured`) it is kept to without being sent.
 */
type Fate = 'sent' | 'refused' | 'named' | 'honoured';
interface Case {
  /** Of the field. */
  path: string;
  request: ChatRequest;
  /** Found in the JSON of what is sent. */
  sentinel?: string;
  fate: Fate;
  model?: string;
}

type Chat = Extract<ChatInput, { type: 'chat' }>;
const claude = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
const text = (words: string): TextPart => ({ type: 'text', text: words });
const chatOf = (changes: Partial<Chat> = {}): Chat => ({
  type: 'chat',
  messages: [{ role: 'user', content: [text('hi')] }],
  tools: [{ name: 'look' }, { name: 'other' }],
  toolChoice: { type: 'auto' },
  ...changes,
});
const base: ChatRequest = { model: 'm', input: chatOf(), sampling: {}, stop: [] };
const withInput = (changes: Partial<Chat>): ChatRequest => ({ ...base, input: chatOf(changes) });

// Each table has every key of its type: a new field of the core does not compile until its fate is decided here.
const ofRequest: Record<keyof ChatRequest, Omit<Case, 'path'> | null> = {
  // The id of the model is the caller's, and the input has tables of its own.
  model: null,
  input: { request: { ...base, input: { type: 'text', prompt: 'once upon' } }, fate: 'refused' },
  sampling: null,
  format: {
    request: { ...base, format: { type: 'json-schema', schema: { title: 'SENTINEL' } } },
    sentinel: 'SENTINEL',
    fate: 'sent',
  },
  logprobs: { request: { ...base, logprobs: { top: 3 } }, fate: 'refused' },
  maxTokens: { request: { ...base, maxTokens: 4711 }, sentinel: '"maxTokens":4711', fate: 'sent' },
  stop: { request: { ...base, stop: ['SENTINEL'] }, sentinel: 'SENTINEL', fate: 'sent' },
  keepAliveMs: { request: { ...base, keepAliveMs: 4711 }, fate: 'named' },
  promptCache: { request: { ...base, promptCache: 'pin' }, sentinel: 'cachePoint', fate: 'sent' },
  reasoning: {
    request: { ...base, reasoning: { mode: 'on', budgetTokens: 4711 } },
    sentinel: '"budget_tokens":4711',
    fate: 'sent',
  },
  choices: { request: { ...base, choices: 2 }, fate: 'refused' },
  returnsTokens: { request: { ...base, returnsTokens: true }, fate: 'named' },
  prediction: { request: { ...base, prediction: 'words' }, fate: 'named' },
  endUserId: { request: { ...base, endUserId: 'SENTINEL' }, sentinel: '"end_user_id":"SENTINEL"', fate: 'sent' },
  serviceTier: { request: { ...base, serviceTier: 'flex' }, sentinel: '"serviceTier":{"type":"flex"}', fate: 'sent' },
  metadata: { request: { ...base, metadata: { team: 'SENTINEL' } }, sentinel: '"team":"SENTINEL"', fate: 'sent' },
  extra: {
    request: { ...base, extra: { bedrock: { guardrailConfig: { guardrailIdentifier: 'SENTINEL' } } } },
    sentinel: '"guardrailConfig":{"guardrailIdentifier":"SENTINEL"}',
    fate: 'sent',
  },
  // Beside a translation only flags of it count.
  original: {
    request: {
      ...base,
      original: {
        dialect: 'anthropic',
        path: '/v1/other',
        bytes: new Uint8Array(),
        body: {},
        headers: { 'anthropic-beta': 'context-1m-2025-08-07' },
      },
    },
    sentinel: 'context-1m-2025-08-07',
    fate: 'sent',
  },
  // Seen by the provider before anything is translated (relay.test.ts).
  onlyRelayed: null,
  keptBy: null,
};

const ofSampling: Record<keyof Sampling, Omit<Case, 'path'>> = {
  temperature: { request: { ...base, sampling: { temperature: 0.47 } }, sentinel: '"temperature":0.47', fate: 'sent' },
  topP: { request: { ...base, sampling: { topP: 0.47 } }, sentinel: '"topP":0.47', fate: 'sent' },
  topK: { request: { ...base, sampling: { topK: 47 } }, sentinel: '"top_k":47', fate: 'sent' },
  minP: { request: { ...base, sampling: { minP: 0.1 } }, fate: 'named' },
  typicalP: { request: { ...base, sampling: { typicalP: 0.5 } }, fate: 'named' },
  seed: { request: { ...base, sampling: { seed: 1 } }, fate: 'named' },
  repeatPenalty: { request: { ...base, sampling: { repeatPenalty: 1.1 } }, fate: 'named' },
  frequencyPenalty: { request: { ...base, sampling: { frequencyPenalty: 1 } }, fate: 'named' },
  presencePenalty: { request: { ...base, sampling: { presencePenalty: 1 } }, fate: 'named' },
  penaltyTokens: { request: { ...base, sampling: { penaltyTokens: 64 } }, fate: 'named' },
  logitBias: { request: { ...base, sampling: { logitBias: { 1: 1 } } }, fate: 'named' },
  ignoreEnd: { request: { ...base, sampling: { ignoreEnd: true } }, fate: 'named' },
  minTokens: { request: { ...base, sampling: { minTokens: 3 } }, fate: 'named' },
  xtc: { request: { ...base, sampling: { xtc: { probability: 1, threshold: 0.1 } } }, fate: 'named' },
  dry: { request: { ...base, sampling: { dry: { multiplier: 1 } } }, fate: 'named' },
};

const ofChat: Record<Exclude<keyof Chat, 'type'>, Omit<Case, 'path'>> = {
  messages: {
    request: withInput({ messages: [{ role: 'user', content: [text('SENTINEL')] }] }),
    sentinel: 'SENTINEL',
    fate: 'sent',
  },
  tools: { request: withInput({ tools: [{ name: 'SENTINEL' }] }), sentinel: 'SENTINEL', fate: 'sent' },
  toolChoice: {
    request: withInput({ toolChoice: { type: 'tool', name: 'other' } }),
    sentinel: '"toolChoice":{"tool":{"name":"other"}}',
    fate: 'sent',
  },
  parallelToolCalls: {
    request: withInput({ parallelToolCalls: false }),
    sentinel: '"disable_parallel_tool_use":true',
    fate: 'sent',
  },
  continuesLast: {
    request: withInput({
      messages: [...chatOf().messages, { role: 'assistant', content: [text('SENTINEL')] }],
      continuesLast: true,
    }),
    sentinel: '{"role":"assistant","content":[{"text":"SENTINEL"}]}]',
    fate: 'sent',
  },
  templateOptions: { request: withInput({ templateOptions: { enable_thinking: false } }), fate: 'named' },
  template: { request: withInput({ template: '{{ x }}' }), fate: 'refused' },
};

const withTool = (tool: Partial<ToolDefinition>) => withInput({ tools: [{ name: 'look', ...tool }] });
const ofTool: Record<Exclude<keyof ToolDefinition, 'name'>, Omit<Case, 'path'>> = {
  description: { request: withTool({ description: 'SENTINEL' }), sentinel: 'SENTINEL', fate: 'sent' },
  parameters: {
    request: withTool({ parameters: { properties: { SENTINEL: {} } } }),
    sentinel: 'SENTINEL',
    fate: 'sent',
  },
  strict: { request: withTool({ strict: true }), sentinel: '"strict":true', fate: 'sent' },
  cacheMark: {
    request: withTool({ cacheMark: { ttlSeconds: 3600 } }),
    sentinel: '"cachePoint":{"type":"default","ttl":"1h"}',
    fate: 'sent',
  },
  extra: { request: withTool({ extra: { anthropic: { defer_loading: true } } }), fate: 'named' },
};

const asked = (...content: ContentPart[]) =>
  withInput({ messages: [{ role: 'user', content: content as TextPart[] }] });
const answered = (part: TextPart | ReasoningPart | ToolCallPart, ...results: ToolResultPart[]) =>
  withInput({
    messages: [
      ...chatOf().messages,
      { role: 'assistant', content: [part, text('so')] },
      { role: 'user', content: [...results, text('on')] },
    ],
  });
const image: ImagePart = { type: 'image', mediaType: 'image/png', source: { type: 'bytes', base64: 'iVBORw0KGgo=' } };
const pdf: DocumentPart = {
  type: 'document',
  mediaType: 'application/pdf',
  source: { type: 'bytes', base64: 'U0VOVA==' },
};
const thought: ReasoningPart = { type: 'reasoning', text: 'Hm.', signature: 'sig', redactedData: null, origin: null };
const call: ToolCallPart = { type: 'tool-call', id: 'c1', name: 'look', arguments: { a: 1 } };
const result: ToolResultPart = { type: 'tool-result', callId: 'c1', isError: false, content: [text('seen')] };

/** Fields of parts by their path from the part on. */
const ofParts: (Omit<Case, 'path'> & { path: string })[] = [
  { path: 'text.text', request: asked(text('SENTINEL')), sentinel: 'SENTINEL', fate: 'sent' },
  {
    path: 'text.cacheMark',
    request: asked({ ...text('x'), cacheMark: { ttlSeconds: null } }),
    sentinel: 'cachePoint',
    fate: 'sent',
  },
  {
    path: 'input.messages.0.content.0.extra.openai.x',
    request: asked({ ...text('x'), extra: { openai: { x: 1 } } }),
    fate: 'named',
  },
  {
    path: 'input.messages.1.content.0.citations',
    request: answered({
      ...text('x'),
      citations: [{ citedText: 'a', title: null, url: null, dialect: 'anthropic', raw: {} }],
    }),
    fate: 'named',
  },
  { path: 'image.source', request: asked(image), sentinel: '"format":"png"', fate: 'sent' },
  {
    path: 'input.messages.0.content.0.source',
    request: asked({ ...image, source: { type: 'url', url: 'http://x' } }),
    fate: 'refused',
  },
  {
    path: 'input.messages.0.content.0.source',
    request: asked({ ...image, source: { type: 'file', fileId: 'f' } }),
    fate: 'refused',
  },
  {
    path: 'input.messages.0.content.0.mediaType',
    request: asked({ ...image, mediaType: 'image/tiff', source: { type: 'bytes', base64: 'SUkq' } }),
    fate: 'refused',
  },
  { path: 'document.source', request: asked(pdf), sentinel: '"format":"pdf"', fate: 'sent' },
  {
    path: 'document.title',
    request: asked({ ...pdf, title: 'SENTINEL' }),
    sentinel: '"name":"SENTINEL"',
    fate: 'sent',
  },
  {
    path: 'document.context',
    request: asked({ ...pdf, context: 'SENTINEL' }),
    sentinel: '"context":"SENTINEL"',
    fate: 'sent',
  },
  {
    path: 'document.mayBeCited',
    request: asked({ ...pdf, mayBeCited: true }),
    sentinel: '"citations":{"enabled":true}',
    fate: 'sent',
  },
  {
    path: 'input.messages.0.content.0.mayBeCited',
    request: asked({ ...pdf, mayBeCited: true }),
    fate: 'named',
    model: 'amazon.nova-pro-v1:0',
  },
  {
    path: 'input.messages.0.content.0.context',
    request: asked({ ...pdf, context: 'x' }),
    fate: 'named',
    model: 'amazon.nova-pro-v1:0',
  },
  {
    path: 'input.messages.0.content.0.source',
    request: asked({ ...pdf, source: { type: 'url', url: 'http://x' } }),
    fate: 'refused',
  },
  { path: 'reasoning.signature', request: answered(thought), sentinel: '"signature":"sig"', fate: 'sent' },
  {
    path: 'reasoning.redactedData',
    request: answered({ ...thought, text: '', signature: null, redactedData: 'U0VO' }),
    sentinel: 'redactedContent',
    fate: 'sent',
  },
  { path: 'input.messages.1.content.0', request: answered({ ...thought, signature: null }), fate: 'named' },
  { path: 'input.messages.1.content.0', request: answered({ ...thought, signature: '' }), fate: 'named' },
  {
    path: 'input.messages.1.content.0',
    request: answered({ ...thought, origin: { provider: 'openai', model: 'x' } }),
    fate: 'named',
  },
  { path: 'call.arguments', request: answered(call, result), sentinel: '"input":{"a":1}', fate: 'sent' },
  { path: 'result.content', request: answered(call, result), sentinel: '[{"text":"seen"}]', fate: 'sent' },
  {
    path: 'result.isError',
    request: answered(call, { ...result, isError: true }),
    sentinel: '"status":"error"',
    fate: 'sent',
  },
  {
    path: 'opaque',
    request: asked({ type: 'opaque', dialect: 'bedrock', block: { searchResult: { title: 'SENTINEL' } } }),
    sentinel: 'SENTINEL',
    fate: 'sent',
  },
  {
    path: 'input.messages.0.content.0',
    request: asked({ type: 'opaque', dialect: 'openai', block: {} }),
    fate: 'refused',
  },
];

const variants: Case[] = [
  { path: 'format', request: { ...base, format: { type: 'json' } }, fate: 'refused' },
  { path: 'format', request: { ...base, format: { type: 'grammar', gbnf: 'root ::= "a"' } }, fate: 'refused' },
  {
    path: 'format',
    request: { ...base, format: { type: 'json-schema', schema: {} } },
    fate: 'refused',
    model: 'amazon.nova-pro-v1:0',
  },
  {
    path: 'format.name',
    request: { ...base, format: { type: 'json-schema', schema: {}, name: 'SENTINEL', description: 'words' } },
    sentinel: '"name":"SENTINEL","description":"words"',
    fate: 'sent',
  },
  { path: 'maxTokens', request: { ...base, maxTokens: 0 }, fate: 'refused' },
  { path: 'maxTokens', request: { ...base, maxTokens: 10_000_000 }, fate: 'named' },
  { path: 'stop.1', request: { ...base, stop: ['a', '\n'] }, fate: 'named' },
  {
    path: 'sampling.topK',
    request: { ...base, sampling: { topK: 4 } },
    fate: 'named',
    model: 'meta.llama3-3-70b-instruct-v1:0',
  },
  {
    path: 'sampling.topK',
    request: { ...base, sampling: { topK: 4 } },
    sentinel: '"inferenceConfig":{"topK":4}',
    fate: 'sent',
    model: 'amazon.nova-pro-v1:0',
  },
  { path: 'sampling.topP', request: { ...base, sampling: { temperature: 0.1, topP: 0.2 } }, fate: 'named' },
  { path: 'sampling.temperature', request: { ...base, sampling: { temperature: 1.7 } }, fate: 'named' },
  { path: 'reasoning', request: { ...base, reasoning: { mode: 'off' } }, fate: 'honoured' },
  { path: 'reasoning', request: { ...base, reasoning: { mode: 'on' } }, fate: 'named', model: 'amazon.nova-pro-v1:0' },
  { path: 'reasoning', request: { ...base, reasoning: { mode: 'off' } }, fate: 'named', model: 'deepseek.r1-v1:0' },
  {
    path: 'reasoning',
    request: { ...base, reasoning: { mode: 'on', effort: 'max' } },
    sentinel: '"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}',
    fate: 'sent',
    model: 'amazon.nova-2-lite-v1:0',
  },
  {
    path: 'reasoning',
    request: { ...base, reasoning: { mode: 'on', effort: 'low' } },
    sentinel: '"reasoning_effort":"low"',
    fate: 'sent',
    model: 'openai.gpt-oss-120b-1:0',
  },
  {
    path: 'reasoning',
    request: { ...base, reasoning: { mode: 'off' } },
    sentinel: '"reasoning":{"effort":"none"}',
    fate: 'sent',
    model: 'openai.gpt-6-sol',
  },
  {
    path: 'reasoning',
    request: { ...base, reasoning: { mode: 'on', budgetTokens: 2000 }, maxTokens: 500 },
    fate: 'named',
  },
  {
    path: 'reasoning',
    request: { ...base, reasoning: { mode: 'off' } },
    sentinel: '"thinking":{"type":"disabled"}',
    fate: 'sent',
    model: 'anthropic.claude-opus-4-8',
  },
  {
    path: 'reasoning',
    request: { ...base, reasoning: { mode: 'off' } },
    fate: 'named',
    model: 'anthropic.claude-opus-5-5',
  },
  ...(['maxTokens', 'sampling.temperature', 'sampling.topP'] as const).map(
    (path): Case => ({
      path,
      request: {
        ...base,
        reasoning: { mode: 'on', effort: 'high' },
        maxTokens: 100,
        sampling: { temperature: 0.1, topP: 0.2 },
      },
      fate: 'named',
      model: 'amazon.nova-2-lite-v1:0',
    }),
  ),
  { path: 'serviceTier', request: { ...base, serviceTier: 'gold' }, fate: 'named' },
  { path: 'serviceTier', request: { ...base, serviceTier: 'auto' }, fate: 'honoured' },
  { path: 'metadata.größe', request: { ...base, metadata: { größe: 'x' } }, fate: 'named' },
  { path: 'endUserId', request: { ...base, endUserId: 'ü' }, fate: 'named' },
  { path: 'extra.openai.store', request: { ...base, extra: { openai: { store: true } } }, fate: 'named' },
  { path: 'extra.bedrock.unheard', request: { ...base, extra: { bedrock: { unheard: 1 } } }, fate: 'named' },
  {
    path: 'extra.bedrock.additionalModelRequestFields',
    request: {
      ...base,
      sampling: { topK: 3 },
      extra: { bedrock: { additionalModelRequestFields: { x: 'SENTINEL' } } },
    },
    sentinel: '{"top_k":3,"x":"SENTINEL"}',
    fate: 'sent',
  },
  {
    path: 'input.parallelToolCalls',
    request: withInput({ parallelToolCalls: false }),
    fate: 'named',
    model: 'amazon.nova-pro-v1:0',
  },
  {
    path: 'input.parallelToolCalls',
    request: withInput({ parallelToolCalls: false, toolChoice: { type: 'required' } }),
    fate: 'named',
  },
  {
    path: 'input.toolChoice',
    request: withInput({ toolChoice: { type: 'required' } }),
    sentinel: '"toolChoice":{"any":{}}',
    fate: 'sent',
  },
  {
    path: 'input.toolChoice',
    request: withInput({ toolChoice: { type: 'required' } }),
    fate: 'refused',
    model: 'meta.llama3-3-70b-instruct-v1:0',
  },
  {
    path: 'input.toolChoice',
    request: withInput({ toolChoice: { type: 'allowed', mode: 'required', names: ['other'] } }),
    sentinel: '"toolChoice":{"tool":{"name":"other"}}',
    fate: 'sent',
  },
  {
    path: 'input.messages.1',
    request: withInput({ messages: [...chatOf().messages, { role: 'system', content: [text('SENTINEL')] }] }),
    fate: 'named',
  },
  {
    path: 'input.messages.0',
    request: withInput({ messages: [{ role: 'system', content: [text('SENTINEL')] }, ...chatOf().messages] }),
    sentinel: '"system":[{"text":"SENTINEL"}]',
    fate: 'sent',
  },
  {
    path: 'original.headers.anthropic-beta',
    request: {
      ...base,
      original: {
        dialect: 'anthropic',
        path: '/x',
        bytes: new Uint8Array(),
        body: {},
        headers: { 'anthropic-beta': 'files-api-2025-04-14' },
      },
    },
    fate: 'named',
  },
];

const under = (prefix: string, table: Record<string, Omit<Case, 'path'> | null>): Case[] =>
  Object.entries(table).flatMap(([name, one]) => (one === null ? [] : [{ ...one, path: `${prefix}${name}` }]));

describe('every field of a request is sent, refused with its path, or named', () => {
  it.each([
    ...under('', ofRequest),
    ...under('sampling.', ofSampling),
    ...under('input.', ofChat),
    ...under('input.tools.0.', ofTool),
    ...ofParts,
    ...variants,
  ])('$path is $fate ($sentinel $model)', ({ path, request, sentinel, fate, model = claude }) => {
    const row = capabilityRow(model);
    const outcome = () => toWire(request, { modelId: model, row, provider: 'aws', maxOutputTokens: null });
    if (fate === 'refused') {
      expect(outcome).toThrow(AppError);
      expect(outcome).toThrow(expect.objectContaining({ field: path }));
      return;
    }
    const { input, warnings } = outcome();
    const named = warnings.map(({ field }) => field);
    if (fate === 'sent') expect(JSON.stringify(input)).toContain(sentinel);
    if (fate === 'named') expect(named.some((field) => field === path || field?.startsWith(`${path}.`))).toBe(true);
    else expect(named).toEqual([]);
  });
});
