import type { Anthropic } from '@anthropic-ai/sdk';
import type { ChatInput, ChatRequest, OutputFormat, ToolDefinition } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { Warning } from '../../core/events.ts';
import { isObject, type JsonObject } from '../messages/json.ts';
import { createToolNames, type ToolNames } from '../messages/tool-names.ts';
import { type ContentRules, extraOf, marksOf, mostNameCharacters, toConversation } from './content.ts';
import { cacheMarks, type ModelRow } from './model-table.ts';
import { toThinking, type WireThinking } from './thinking.ts';

/** The version that takes values of sampling, and the one that does not. */
const olderVersion = '2023-06-01';
const newerVersion = '2026-10-21';

/** A request as it goes out. */
export interface WireRequest {
  /** For an answer as events. Its keys come in an order that never changes, the conversation last: one more turn leaves all bytes before it as they were. */
  body: JsonObject;
  /** Of the API. */
  version: string;
  /** What of the request is not in the body, or not as it was meant. */
  warnings: Warning[];
  names: ToolNames;
}

type Conversation = Extract<ChatInput, { type: 'chat' }>;
type Warn = (field: string, message: string) => void;

/** Tokens of an answer that may be as long as it likes: what is asked for counts against the limits of the account at once. */
const usualMaxTokens = 32_000;

/**
 * A request in the words of the API. Whatever its model does not take is refused by its field (`not_supported` or
 * `invalid_request`) where the answer would be another one without it, else left out and named in the warnings. `version`:
 * the one that the configuration names.
 */
export function toWire(
  request: ChatRequest,
  how: { providerId: string; model: string; row: ModelRow; version: string | null },
): WireRequest {
  const { model } = how;
  const takesSampling = how.version === null || how.version === olderVersion;
  const row: ModelRow = takesSampling ? how.row : { ...how.row, sampling: 'none' };
  const warnings: Warning[] = [];
  const warn: Warn = (field, message) => void warnings.push({ field, message });
  const input = refuseUnable(request, row);
  const names = createToolNames(input, mostNameCharacters);
  const rules: ContentRules = {
    row,
    origin: { provider: how.providerId, model },
    names,
    keepsMarks: request.promptCache !== 'none',
    warn,
  };
  const maxTokens = maxTokensOf(request, row, warn);
  const thinking = toThinking(request.reasoning, row, maxTokens, warn);
  const conversation = toConversation(input.messages, rules);
  const sampling = samplingOf(request, row, thinking, warn);
  warnOfUnsent(request, warn);
  const effort = thinking.effort;
  const format = request.format === undefined ? undefined : formatOf(request.format, row);
  const body: JsonObject = {
    ...request.extra?.anthropic,
    model,
    max_tokens: maxTokens,
    ...toolsOf(input, rules, thinking),
    ...(thinking.thinking && { thinking: thinking.thinking }),
    ...((effort !== undefined || format !== undefined) && {
      output_config: { ...(effort !== undefined && { effort }), ...(format !== undefined && { format }) },
    }),
    ...sampling,
    ...(request.stop.length > 0 && { stop_sequences: stopsOf(request.stop) }),
    ...(request.endUserId !== undefined && { metadata: { user_id: request.endUserId } }),
    ...serviceTierOf(request, warn),
    // A mark at the end of what is marked by itself: the prompt is kept although no part of it says so.
    ...(request.promptCache === 'pin' && { cache_control: { type: 'ephemeral' } }),
    // Without tokens there is nothing to stream: the prompt is put into the cache, and that is all.
    ...(maxTokens > 0 && { stream: true }),
    ...(conversation.system.length > 0 && { system: conversation.system }),
    messages: endOf(input, conversation.messages, row, thinking, warn),
  };
  trimMarks(body, warn);
  return {
    body,
    version: how.version ?? (Object.keys(sampling).length > 0 ? olderVersion : newerVersion),
    warnings,
    names,
  };
}

/** What `count_tokens` takes of a body. */
export function toCountBody(body: JsonObject): JsonObject {
  const keys = ['model', 'tools', 'tool_choice', 'thinking', 'output_config', 'cache_control', 'system', 'messages'];
  return Object.fromEntries(keys.flatMap((key) => (body[key] === undefined ? [] : [[key, body[key]]])));
}

/** Throws for what no Claude can do; gives the conversation. */
function refuseUnable(request: ChatRequest, row: ModelRow): Conversation {
  const refuse = (field: string, what: string, fix?: string) =>
    new AppError('not_supported', `${row.displayName} ${what}.`, { field, ...(fix !== undefined && { fix }) });
  const { input } = request;
  if (input.type !== 'chat') throw refuse('input', 'answers conversations and continues no bare text');
  if (input.template !== undefined) throw refuse('input.template', 'takes no chat template');
  if (request.logprobs !== undefined) throw refuse('logprobs', 'tells no log probabilities');
  if ((request.choices ?? 1) > 1) throw refuse('choices', 'gives one answer to a request');
  if (input.tools.length > 0 && !row.tools) throw refuse('input.tools', 'calls no tools');
  return input;
}

/** Named, because nothing of the answer follows from them. */
function warnOfUnsent(request: ChatRequest, warn: Warn): void {
  if (request.returnsTokens) warn('returnsTokens', 'Claude does not tell its tokens.');
  if (request.keepAliveMs !== undefined) warn('keepAliveMs', 'A model in the cloud is always there.');
  if (request.prediction !== undefined) warn('prediction', 'The model takes no text to guess by.');
  if (request.metadata !== undefined) warn('metadata', 'Labels of requests are not sent.');
  if (request.input.type === 'chat' && request.input.templateOptions !== undefined) {
    warn('input.templateOptions', 'The model has no chat template that could be told.');
  }
}

function maxTokensOf({ maxTokens }: ChatRequest, row: ModelRow, warn: Warn): number {
  const most = row.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  if (maxTokens === undefined) return Math.min(usualMaxTokens, most);
  if (maxTokens > most) warn('maxTokens', `${row.displayName} writes at most ${most} tokens.`);
  return Math.min(maxTokens, most);
}

/** Values that the model takes, under the version that takes them; the others are named. */
function samplingOf(
  { sampling }: ChatRequest,
  row: ModelRow,
  { thinking }: WireThinking,
  warn: Warn,
): { temperature?: number; top_p?: number; top_k?: number } {
  const { temperature, topP, topK, ...others } = sampling;
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) warn(`sampling.${name}`, 'The model has no such setting.');
  }
  const thinks = thinking?.type === 'enabled' || thinking?.type === 'adaptive';
  if (row.sampling === 'none' || thinks) {
    const why = thinks ? 'while it thinks' : 'at all';
    for (const [name, value] of Object.entries({ temperature, topP, topK })) {
      if (value !== undefined && !(name === 'topK' && value === 0)) {
        warn(`sampling.${name}`, `${row.displayName} takes none ${why}.`);
      }
    }
    return {};
  }
  if (temperature !== undefined && topP !== undefined) {
    warn('sampling.topP', `${row.displayName} takes a temperature or this, not both.`);
  }
  if (temperature !== undefined && temperature > 1)
    warn('sampling.temperature', 'It is 1, the most that the model takes.');
  return {
    ...(temperature !== undefined && { temperature: Math.min(1, temperature) }),
    ...(topP !== undefined && temperature === undefined && { top_p: topP }),
    ...(topK !== undefined && topK > 0 && { top_k: topK }),
  };
}

function toolsOf(input: Conversation, rules: ContentRules, { thinking }: WireThinking): JsonObject {
  if (input.tools.length === 0) return {};
  const { toolChoice } = input;
  const named = toolChoice.type === 'allowed' ? new Set(toolChoice.names) : null;
  const isOne = toolChoice.type === 'allowed' && toolChoice.mode === 'required' && toolChoice.names.length === 1;
  const tools = named === null || isOne ? input.tools : input.tools.filter(({ name }) => named.has(name));
  if (tools.length < input.tools.length) {
    rules.warn('input.toolChoice', 'The model sees only the tools that it may call.');
  }
  const choice = choiceOf(input, rules.names);
  if (choice !== null && (choice.type === 'any' || choice.type === 'tool')) {
    refuseForced(rules.row, thinking?.type === 'enabled');
  }
  return {
    tools: tools.map((tool) => toTool(tool, input.tools.indexOf(tool), rules)),
    ...(choice && { tool_choice: choice }),
  };
}

function choiceOf({ toolChoice, parallelToolCalls }: Conversation, names: ToolNames): Anthropic.ToolChoice | null {
  const single = parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  const automatic: Anthropic.ToolChoice | null = parallelToolCalls === false ? { type: 'auto', ...single } : null;
  switch (toolChoice.type) {
    case 'auto':
      return automatic;
    case 'none':
      return { type: 'none' };
    case 'required':
      return { type: 'any', ...single };
    case 'tool':
      return { type: 'tool', name: names.toWire(toolChoice.name), ...single };
    case 'allowed': {
      if (toolChoice.mode === 'auto') return automatic;
      const [only, ...more] = toolChoice.names;
      return only !== undefined && more.length === 0
        ? { type: 'tool', name: names.toWire(only), ...single }
        : { type: 'any', ...single };
    }
  }
}

function refuseForced(row: ModelRow, hasBudget: boolean): void {
  if (row.forcedTools && !hasBudget) return;
  throw new AppError(
    'not_supported',
    `${row.displayName} cannot be made to call a tool${row.forcedTools ? ' while it thinks by a budget' : ''}.`,
    { field: 'input.toolChoice', fix: 'Leave the choice to the model, and say in the prompt when to call the tool.' },
  );
}

function toTool(tool: ToolDefinition, index: number, rules: ContentRules): JsonObject {
  const { name, description, parameters, strict } = tool;
  const isStrict = strict !== undefined && rules.row.structuredOutput;
  if (strict && !isStrict)
    rules.warn(`input.tools.${index}.strict`, `${rules.row.displayName} keeps to no schema by itself.`);
  const own = extraOf(tool) as JsonObject;
  // A tool that the service runs itself is known by its type, and has no schema.
  const isServers = own['type'] !== undefined && own['type'] !== 'custom';
  if (isServers) return { name, ...own, ...marksOf(tool, rules) };
  return {
    name: rules.names.toWire(name),
    ...(description !== undefined && { description }),
    input_schema: parameters ?? { type: 'object', properties: {} },
    ...(isStrict && { strict }),
    ...own,
    ...marksOf(tool, rules),
  };
}

function formatOf(format: OutputFormat, row: ModelRow): Anthropic.JSONOutputFormat | undefined {
  if (format.type === 'text') return undefined;
  if (format.type === 'json-schema' && row.structuredOutput && isObject(format.schema)) {
    return { type: 'json_schema', schema: closed(format.schema) as JsonObject };
  }
  throw new AppError('not_supported', `${row.displayName} cannot hold its answer to the format "${format.type}".`, {
    field: 'format',
    ...(row.structuredOutput && { fix: 'Send a JSON Schema of an object.' }),
  });
}

/** The API wants every object to be closed; what keeps to the closed schema keeps to the open one. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isObject(schema)) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === 'enum' || key === 'const' ? value : closed(value)]),
  );
  const isObjectSchema = schema['type'] === 'object' && schema['additionalProperties'] === undefined;
  return isObjectSchema ? { ...inner, additionalProperties: false } : inner;
}

function stopsOf(stop: readonly string[]): readonly string[] {
  const blank = stop.findIndex((text) => text.trim() === '');
  if (blank === -1) return stop;
  throw new AppError('not_supported', 'The model does not stop at blanks alone.', {
    field: `stop.${blank}`,
    fix: 'Name a text with a letter or sign in it.',
  });
}

/** The two classes of the API, and what other dialects call the same. */
const serviceTiers: Readonly<Record<string, 'auto' | 'standard_only'>> = {
  auto: 'auto',
  priority: 'auto',
  standard_only: 'standard_only',
  default: 'standard_only',
};

function serviceTierOf({ serviceTier }: ChatRequest, warn: Warn): JsonObject {
  if (serviceTier === undefined) return {};
  const tier = serviceTiers[serviceTier];
  if (tier === undefined) warn('serviceTier', `There is no class of service "${serviceTier}"; the usual one serves.`);
  return tier === undefined ? {} : { service_tier: tier };
}

/** The messages, with an end that the model goes on from as it was meant. Throws where it cannot. */
function endOf(
  input: Conversation,
  messages: Anthropic.MessageParam[],
  row: ModelRow,
  { thinking }: WireThinking,
  warn: Warn,
): Anthropic.MessageParam[] {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return messages;
  const field = `input.messages.${input.messages.length - 1}`;
  if (!row.prefill) {
    throw new AppError('not_supported', `${row.displayName} does not go on where a turn of the assistant ends.`, {
      field,
      fix: 'End with a turn of the user; for a form of the answer, ask for a JSON Schema.',
    });
  }
  if (!input.continuesLast) {
    throw new AppError(
      'not_supported',
      `${row.displayName} would go on within the last turn, which is the assistant's.`,
      {
        field,
        fix: 'End with a turn of the user, or ask for the turn to be continued.',
      },
    );
  }
  if (thinking?.type === 'enabled' || thinking?.type === 'adaptive') {
    throw new AppError('not_supported', `${row.displayName} does not think within a turn that it goes on with.`, {
      field: 'reasoning',
      fix: 'Switch thinking off, or end with a turn of the user.',
    });
  }
  const block = Array.isArray(last.content) ? last.content.at(-1) : undefined;
  if (block?.type !== 'text' || block.text === block.text.trimEnd()) return messages;
  warn(field, 'It goes on behind the last letter: the model takes no blanks at the end.');
  const content = [
    ...(last.content as Anthropic.ContentBlockParam[]).slice(0, -1),
    { ...block, text: block.text.trimEnd() },
  ];
  return [...messages.slice(0, -1), { role: 'assistant', content }];
}

/** More marks than the API takes: the first stays, where all requests begin alike, and the last, which reach farthest. */
function trimMarks(body: JsonObject, warn: Warn): void {
  const marked: JsonObject[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) collect(item);
    else if (isObject(value)) {
      if (value['cache_control'] !== undefined) marked.push(value);
      collect(value['content']);
    }
  };
  for (const key of ['tools', 'system', 'messages']) collect(body[key]);
  const most = cacheMarks.most - (body['cache_control'] === undefined ? 0 : 1);
  if (marked.length <= most) return;
  warn('input.messages', `Of ${marked.length} cache marks ${most} are sent, the most that there may be.`);
  for (const block of marked.slice(1, marked.length - most + 1)) delete block['cache_control'];
}
