import type { ChatRequest, ToolDefinition } from '../../../src/core/chat.ts';
import type { ContentPart, DocumentPart, Marked } from '../../../src/core/content.ts';
import type { Answer } from '../../../src/core/events.ts';
import type { Usage } from '../../../src/core/usage.ts';
import type { Wire } from './from-wire.ts';

/** An answer as the message that Anthropic's API sends whole. */
export function toMessage(answer: Answer): Wire {
  const [{ blocks, rawReason, stopSequence }] = answer.choices;
  return {
    ...answer.extra?.anthropic,
    id: answer.responseId,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content: blocks.map(toBlock),
    stop_reason: rawReason,
    stop_sequence: stopSequence,
    usage: toUsage(answer.usage),
  };
}

function toUsage(usage: Usage): Wire {
  return {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: (usage.cacheWrite5mTokens ?? 0) + (usage.cacheWrite1hTokens ?? 0),
    cache_read_input_tokens: usage.cacheReadTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite5mTokens,
      ephemeral_1h_input_tokens: usage.cacheWrite1hTokens,
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { thinking_tokens: usage.reasoningTokens },
    server_tool_use: usage.serverTools,
    service_tier: usage.servedTier,
    inference_geo: usage.servedPlace,
  };
}

/** A request as the body of Anthropic's API, from the core's words alone: `original` is not looked at. */
export function toBody(request: ChatRequest): Wire {
  if (request.input.type !== 'chat') throw new Error('a conversation');
  const [system, ...messages] = request.input.messages;
  const reasoning = request.reasoning?.mode === 'on' ? request.reasoning : null;
  return {
    model: request.model,
    max_tokens: request.maxTokens,
    system: system!.content.map(toBlock),
    messages: messages.map(({ role, content }) => ({ role, content: content.map(toBlock) })),
    tools: request.input.tools.map(toTool),
    tool_choice: {
      type: request.input.toolChoice.type,
      disable_parallel_tool_use: request.input.parallelToolCalls === false,
    },
    thinking: { type: 'enabled', budget_tokens: reasoning?.budgetTokens },
    stop_sequences: request.stop,
    metadata: { user_id: request.endUserId },
    service_tier: request.serviceTier,
  };
}

function toTool({ name, description, parameters, strict, extra, ...marks }: ToolDefinition): Wire {
  return {
    name,
    ...(description !== undefined && { description }),
    input_schema: parameters,
    ...(strict !== undefined && { strict }),
    ...mark(marks),
    ...extra?.anthropic,
  };
}

function toBlock(part: ContentPart): Wire {
  switch (part.type) {
    case 'text':
      return {
        type: 'text',
        text: part.text,
        ...(part.citations && { citations: part.citations.map(({ raw }) => raw) }),
        ...mark(part),
      };
    case 'image':
      return { type: 'image', source: toSource(part), ...mark(part) };
    case 'document':
      return {
        type: 'document',
        source: toSource(part),
        ...(part.title !== undefined && { title: part.title }),
        ...(part.context !== undefined && { context: part.context }),
        ...(part.mayBeCited !== undefined && { citations: { enabled: part.mayBeCited } }),
        ...mark(part),
      };
    case 'reasoning':
      return part.redactedData === null
        ? { type: 'thinking', thinking: part.text, signature: part.signature, ...mark(part) }
        : { type: 'redacted_thinking', data: part.redactedData, ...mark(part) };
    case 'tool-call':
      return { type: 'tool_use', id: part.id, name: part.name, input: part.arguments, ...mark(part) };
    case 'tool-result':
      return {
        type: 'tool_result',
        tool_use_id: part.callId,
        ...(part.isError && { is_error: true }),
        content: part.content.map(toBlock),
        ...mark(part),
      };
    case 'opaque':
      return { ...(part.block as object), ...mark(part) };
  }
}

function toSource({ source, mediaType }: Pick<DocumentPart, 'source' | 'mediaType'>): Wire {
  switch (source.type) {
    case 'bytes':
      return { type: 'base64', media_type: mediaType, data: source.base64 };
    case 'text':
      return { type: 'text', media_type: mediaType, data: source.text };
    case 'url':
      return { type: 'url', url: source.url };
    case 'file':
      return { type: 'file', file_id: source.fileId };
  }
}

function mark({ cacheMark }: Marked): Wire {
  if (!cacheMark) return {};
  const { ttlSeconds } = cacheMark;
  const ttl = ttlSeconds === null ? {} : { ttl: ttlSeconds === 3600 ? '1h' : '5m' };
  return { cache_control: { type: 'ephemeral', ...ttl } };
}
